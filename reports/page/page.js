// Sorting and filtering of the stage table, and tooltips. The page says everything without it.
'use strict';
(() => {
  const table = document.getElementById('stage-table');
  const tools = document.getElementById('tools');
  if (table && tools) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const heads = Array.from(table.tHead.rows[0].cells);
    const key = (row, column) => {
      const cell = row.cells[column];
      return cell.dataset.v === undefined ? cell.textContent : parseFloat(cell.dataset.v);
    };
    const compare = (x, y, direction) => {
      // What is not known stands last either way.
      if (typeof x === 'number') {
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return direction * (x < y ? -1 : x > y ? 1 : 0);
      }
      return direction * x.localeCompare(y, 'en', {numeric: true});
    };
    const sort = (column, direction) => {
      heads.forEach((head, i) => {
        if (i === column) head.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
        else head.removeAttribute('aria-sort');
      });
      rows.map((row, i) => [key(row, column), i])
          .sort((x, y) => compare(x[0], y[0], direction) || x[1] - y[1])
          .forEach(([, i]) => body.append(rows[i]));
    };
    heads.forEach((head, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = head.textContent;
      button.addEventListener('click', () => {
        const now = head.getAttribute('aria-sort');
        const first = head.classList.contains('n') && column > 0 ? -1 : 1;
        sort(column, now === null ? first : now === 'ascending' ? -1 : 1);
      });
      head.replaceChildren(button);
    });

    const needle = document.getElementById('needle');
    const verdict = document.getElementById('verdict');
    const shown = document.getElementById('shown');
    const filter = () => {
      const words = needle.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const keep = (verdict.value === '' || row.dataset.verdict === verdict.value) &&
                     words.every(word => text.includes(word));
        row.hidden = !keep;
        count += keep;
      }
      shown.textContent = count + ' of ' + rows.length + ' stages';
    };
    needle.addEventListener('input', filter);
    verdict.addEventListener('change', filter);
    filter();
    tools.hidden = false;
  }

  const tip = document.createElement('div');
  tip.id = 'tip';
  tip.hidden = true;
  tip.setAttribute('role', 'tooltip');
  document.body.append(tip);
  const texts = new WeakMap();
  for (const hit of document.querySelectorAll('.hits rect')) {
    const title = hit.querySelector('title');
    if (!title) continue;
    texts.set(hit, title.textContent);
    title.remove();
  }
  document.addEventListener('pointermove', event => {
    const text = event.target instanceof Element ? texts.get(event.target) : undefined;
    tip.hidden = text === undefined;
    if (tip.hidden) return;
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4)) + 'px';
    tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10
                                                                    : event.clientY + 18) + 'px';
  });
})();
