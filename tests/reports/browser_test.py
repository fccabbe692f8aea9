"""Opens the report in a real browser and demands what a reader sees and does.

usage: browser_test.py REPORT_SAMPLES   (the program of tests/reports/report_samples.cpp)

Three ways to read the page: as a file would be (its own policy only), under the policy with which Jenkins
serves artifacts (no script, no style sheet), and with a probe that sorts, filters and points as a reader would.
"""
import base64
import hashlib
import http.server
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

JENKINS = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"

# Runs after the page's own script. What it finds becomes the text of an element of its own.
PROBE = r"""
(() => {
  const result = {};
  const rows = () => Array.from(document.querySelectorAll('#stage-table tbody tr'));
  const visible = () => rows().filter(row => !row.hidden);
  const head = text => Array.from(document.querySelectorAll('#stage-table thead button'))
                           .find(button => button.textContent.startsWith(text));
  const column = name => rows().map(row => parseFloat(
      row.cells[Array.from(document.querySelectorAll('#stage-table th')).findIndex(
          cell => cell.textContent.startsWith(name))].dataset.v));
  const ordered = (values, direction) => {
    const known = values.filter(v => !Number.isNaN(v));
    return values.slice(0, known.length).every(v => !Number.isNaN(v)) &&
        known.every((v, i) => i === 0 || direction * (v - known[i - 1]) >= 0 || v === known[i - 1]);
  };
  result.stages = rows().length;
  result.toolsShown = !document.getElementById('tools').hidden;
  const original = rows().map(row => row.id).join();
  head('of bound').click();
  result.descending = ordered(column('of bound'), -1);
  head('of bound').click();
  result.ascending = ordered(column('of bound'), 1);
  result.ariaSort = document.querySelectorAll('#stage-table th[aria-sort=ascending]').length;
  head('#').click();
  result.restored = rows().map(row => row.id).join() === original;

  const needle = document.getElementById('needle');
  const type = text => { needle.value = text; needle.dispatchEvent(new Event('input')); };
  type('blocks.1 conv');
  result.filtered = visible().length;
  result.filteredTold = document.getElementById('shown').textContent;
  type('');
  const verdict = document.getElementById('verdict');
  verdict.value = 'diverged';
  verdict.dispatchEvent(new Event('change'));
  result.diverged = visible().length;
  verdict.value = '';
  verdict.dispatchEvent(new Event('change'));

  const hit = document.querySelector('svg .hits a rect');
  hit.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 50, clientY: 50}));
  result.tip = document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent;
  result.titles = document.querySelectorAll('.hits title').length;
  document.body.dispatchEvent(new PointerEvent('pointermove', {bubbles: true}));
  result.tipGone = document.getElementById('tip').hidden;

  // Nothing but what the page itself brings: no element and no attribute that a name smuggled in.
  result.scripts = document.scripts.length;
  result.foreign = document.querySelectorAll('img, iframe, object, embed, link, base, form').length;
  result.handlers = Array.from(document.querySelectorAll('*')).filter(
      element => Array.from(element.attributes).some(a => a.name.startsWith('on'))).length;
  result.wide = document.documentElement.scrollWidth - innerWidth;
  result.wideAt = Array.from(document.querySelectorAll('body *')).filter(
      element => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('.scroll, .framed'))
      .map(element => element.tagName + '.' + element.className).slice(0, 3).join(', ');

  // Contrast of every text against the ground it stands on, as WCAG defines it.
  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || (c.length === 4 && c[3] === 1)) return c;
    }
    return [255, 255, 255];
  };
  result.contrast = 99;
  const texts = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.data.trim()) texts.add(walker.currentNode.parentElement);
  for (const element of texts) {
    const style = getComputedStyle(element);
    if (['SCRIPT', 'STYLE', 'title'].includes(element.tagName) || element.id === 'probe') continue;
    const under = ground(element);
    const svg = element instanceof SVGElement;
    const over = parse(svg ? style.fill : style.color);
    const alpha = svg ? parseFloat(style.fillOpacity) : over.length === 4 ? over[3] : 1;
    const mixed = [0, 1, 2].map(i => over[i] * alpha + under[i] * (1 - alpha));
    const [x, y] = [luminance(mixed), luminance(under)].sort((a, b) => b - a);
    const ratio = (x + 0.05) / (y + 0.05);
    if (ratio < result.contrast) {
      result.contrast = ratio;
      result.contrastAt = element.tagName + ' ' + element.textContent.slice(0, 40);
    }
  }
  const out = document.createElement('pre');
  out.id = 'probe';
  out.textContent = JSON.stringify(result);
  document.body.append(out);
})();
"""

failures = []


def check(condition, sentence):
    if not condition:
        failures.append(sentence)
        print("FAILED:", sentence)


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves /plain/NAME, /jenkins/NAME and /probe/NAME from one folder and remembers what was asked for."""

    folder = None
    asked = []

    def do_GET(self):
        Pages.asked.append(self.path)
        manner, _, name = self.path.lstrip("/").partition("/")
        file = Pages.folder / name
        if manner not in ("plain", "jenkins", "probe") or not file.is_file():
            self.send_error(404)
            return
        page = file.read_text(encoding="utf-8")
        if manner == "probe":
            digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
            page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
            page = page.replace("</body>", f"<script>{PROBE}</script></body>")
        body = page.encode("utf-8")
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if manner == "jenkins":
            self.send_header("Content-Security-Policy", JENKINS)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def browse(chromium, profile, *options):
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-extensions",
               f"--user-data-dir={profile}", "--enable-logging=stderr", *options]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def console(log):
    return [line for line in log.splitlines() if "CONSOLE" in line]


def colours(path):
    """The distinct colours of an 8-bit PNG without interlacing, which is what the browser writes."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed, header = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", chunk)
        elif kind == b"IDAT":
            packed += chunk
        at += 12 + length
    width, height, depth, colour_type = header[:4]
    assert depth == 8 and colour_type in (2, 6) and header[6] == 0, "an unexpected kind of PNG"
    size = 3 if colour_type == 2 else 4
    raw, stride = zlib.decompress(packed), width * size
    above, found = bytearray(stride), set()
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left = line[i - size] if i >= size else 0
            corner = above[i - size] if i >= size else 0
            if kind == 1:
                line[i] = (line[i] + left) & 255
            elif kind == 2:
                line[i] = (line[i] + above[i]) & 255
            elif kind == 3:
                line[i] = (line[i] + (left + above[i]) // 2) & 255
            elif kind == 4:
                p = left + above[i] - corner
                nearest = min((abs(p - left), 0, left), (abs(p - above[i]), 1, above[i]), (abs(p - corner), 2, corner))
                line[i] = (line[i] + nearest[2]) & 255
        found.update(bytes(line[i:i + 3]) for i in range(0, stride, size))
        above = line
    return width, height, found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("the report cannot be tested in a browser: no chromium is installed; run "
                 "'apt-get install chromium' (scripts/test does)")
    with tempfile.TemporaryDirectory(prefix="paritylab-browser-") as folder:
        folder = pathlib.Path(folder)
        subprocess.run([sys.argv[1], "pages", str(folder)], check=True)
        Pages.folder = folder
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site = f"http://127.0.0.1:{server.server_address[1]}"
        profile = folder / "profile"

        # Under Jenkins' policy neither script nor sheet lives: the page must still say everything.
        dom, _ = browse(chromium, profile, "--dump-dom", f"{site}/jenkins/diverged.html")
        check("✗ Diverged: first at blocks.1.9 (Conv+BN+Relu), stage 8 of 19" in dom, "the verdict stands in the page under Jenkins' policy")
        check(dom.count('<svg class="plot"') == 2, "both plots stand in the page under Jenkins' policy")
        check('id="tools" hidden' in dom and "<button" not in dom, "no script runs under Jenkins' policy")
        shot = folder / "jenkins.png"
        browse(chromium, profile, f"--screenshot={shot}", "--window-size=900,1400", f"{site}/jenkins/diverged.html")
        width, height, found = colours(shot)
        check((width, height) == (900, 1400) and len(found) > 50, f"the page is drawn under Jenkins' policy ({len(found)} colours)")
        for colour, what in (("#D55E00", "the diverged marker"), ("#009E73", "the markers within the bound")):
            check(bytes.fromhex(colour[1:]) in found, f"{what} keep their colour without a style sheet")

        # As a reader opens it: no message on the console, no request but the page's own.
        Pages.asked.clear()
        for name in ("clean_tf32", "identical", "untrusted", "single", "large"):
            dom, log = browse(chromium, profile, "--dump-dom", f"{site}/plain/{name}.html")
            check(not console(log), f"{name}: the console is silent, not {console(log)[:2]}")
            check('id="verdict-sentence"' in dom and '<svg class="plot"' in dom, f"{name}: the verdict and the plots are there")
        others = [path for path in Pages.asked if not re.fullmatch(r"/plain/\w+\.html", path)]
        check(not others, f"nothing else is requested, but {others[:3]} were")

        # The script at work, and every text readable, on a light and on a dark screen and on a narrow one.
        for name, options in (("diverged", ["--window-size=1280,900"]),
                              ("clean_tf32", ["--window-size=1280,900", "--blink-settings=preferredColorScheme=0"]),
                              ("untrusted", ["--window-size=500,900"]),
                              ("large", ["--window-size=1280,900"])):
            dom, log = browse(chromium, profile, *options, "--dump-dom", f"{site}/probe/{name}.html")
            match = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.DOTALL)
            check(match, f"{name}: the probe ran ({console(log)[:2]})")
            if not match:
                continue
            result = json.loads(match.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
            check(result["toolsShown"], f"{name}: the filter is shown")
            check(result["descending"] and result["ascending"] and result["ariaSort"] == 1, f"{name}: a click on a head sorts")
            check(result["restored"], f"{name}: a click on # restores the order")
            check(result["tip"].count("\n") >= 2 and result["titles"] == 0 and result["tipGone"], f"{name}: tooltips come and go")
            check(result["scripts"] == 2 and result["foreign"] == 0 and result["handlers"] == 0,
                  f"{name}: no name becomes an element ({result['scripts']}, {result['foreign']}, {result['handlers']})")
            check(result["wide"] <= 0, f"{name}: the page is {result['wide']} pixels wider than the window: {result['wideAt']}")
            check(result["contrast"] >= 4.5, f"{name}: contrast {result['contrast']:.2f} at {result.get('contrastAt')}")
            if name == "diverged":
                check(result["stages"] == 19 and result["diverged"] == 1, "the verdict filter leaves the diverged stage")
                # The six stages of blocks.1, and deblocks.1.0, which has the word in it too.
                check(result["filtered"] == 7 and result["filteredTold"] == "7 of 19 stages", "the filter leaves what matches")
            print(f"{name}: {result['stages']} stages, least contrast {result['contrast']:.2f}")
        shot = folder / "dark.png"
        browse(chromium, profile, f"--screenshot={shot}", "--window-size=1000,800", "--blink-settings=preferredColorScheme=0",
               f"{site}/plain/clean_tf32.html")
        _, _, found = colours(shot)
        check(bytes.fromhex("10151b") in found and bytes.fromhex("ffffff") not in found, "a dark screen gets the dark page")
        server.shutdown()
    if failures:
        sys.exit(f"{len(failures)} demands failed")
    print("all demands met")


main()
