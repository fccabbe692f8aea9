#include <gtest/gtest.h>

#include <clocale>
#include <regex>
#include <set>

#include "reports/page/assets.hpp"
#include "reports/reports.hpp"
#include "reports/sha256.hpp"
#include "tests/reports/files.hpp"
#include "tests/reports/markup.hpp"

namespace parity {
namespace {

TEST(Html, IsWellFormedWhateverTheNames) {
  for (const auto& [name, record] : samples::all())
    EXPECT_EQ(samples::html_complaint(write_html(record)), "") << name;
}

TEST(Html, PolicyAdmitsExactlyThePagesOwnSheetAndScript) {
  const std::string page = write_html(samples::large());
  const auto source = [](std::string_view asset) {
    return "'sha256-" + reports::base64(reports::sha256(asset)) + "'";
  };
  EXPECT_NE(page.find("<style>" + std::string(reports::page_css) + "</style>"), std::string::npos);
  EXPECT_NE(page.find("<script>" + std::string(reports::page_js) + "</script>"), std::string::npos);
  EXPECT_NE(page.find("content=\"default-src 'none'; script-src " + source(reports::page_js) +
                      "; style-src " + source(reports::page_css) + ";"),
            std::string::npos);
  EXPECT_EQ(page.find("<script", page.find("<script") + 1), std::string::npos);
}

TEST(Html, NothingIsFetched) {
  for (const auto& [name, record] : samples::all()) {
    const std::string page = write_html(record);
    // By hand: std::regex recurses per character, and a page is long.
    for (const char* fetching : {"<link", "<img", "<iframe", "<object", "@import", "url("})
      EXPECT_EQ(page.find(fetching), std::string::npos) << fetching;
    for (std::size_t tag = page.find('<'); tag != std::string::npos; tag = page.find('<', tag + 1))
      EXPECT_EQ(page.substr(tag, page.find('>', tag) - tag).find(" src="), std::string::npos)
          << page.substr(tag, 80);
    const std::regex link("href=\"([^\"]*)\"");
    for (auto at = std::sregex_iterator(page.begin(), page.end(), link);
         at != std::sregex_iterator(); ++at)
      EXPECT_EQ((*at)[1].str()[0], '#') << name;
  }
}

TEST(Html, EveryLinkHasItsTarget) {
  for (const auto& [name, record] : samples::all()) {
    const std::string page = write_html(record);
    const auto values = [&](const std::string& before) {
      std::set<std::string> found;
      for (std::size_t at = page.find(before); at != std::string::npos;
           at = page.find(before, at + 1))
        found.insert(page.substr(at + before.size(),
                                 page.find('"', at + before.size()) - at - before.size()));
      return found;
    };
    const std::set<std::string> targets = values(" id=\"");
    for (const std::string& link : values("href=\"#"))
      EXPECT_TRUE(targets.count(link)) << name << " " << link;
  }
}

TEST(Html, PicturesCarryTheirLooksAsAttributes) {
  for (const auto& [name, record] : samples::all()) {
    const std::string page = write_html(record);
    EXPECT_EQ(page.find(" style="), std::string::npos) << name;
    const std::regex svg("<svg [^>]*>\\n<title>[^<]+</title>");
    const auto titled =
        std::distance(std::sregex_iterator(page.begin(), page.end(), svg), std::sregex_iterator());
    std::ptrdiff_t all = 0;
    for (std::size_t at = page.find("<svg"); at != std::string::npos;
         at = page.find("<svg", at + 1)) {
      ++all;
      EXPECT_NE(page.substr(at, 300).find("role=\"img\""), std::string::npos);
    }
    EXPECT_EQ(titled, all) << name;
  }
}

TEST(Html, OfARecordingTheSharedInputIsTheRecordings) {
  RunRecord record = samples::diverged();
  const auto says = [&](const std::string& words) {
    return write_html(record).find(words) != std::string::npos;
  };
  EXPECT_TRUE(says("introduced error max |l − a|"));
  EXPECT_TRUE(says("introduced<br>l − a"));
  record.b.backend = "capture";
  EXPECT_TRUE(says("introduced error max |b − l|"));
  EXPECT_TRUE(says("introduced<br>b − l"));
  EXPECT_TRUE(says("the rest, l − a"));
  EXPECT_FALSE(says("|l − a|"));
}

TEST(Html, ThreeHundredStagesStayUnderTwoMegabytes) {
  EXPECT_LE(write_html(samples::large()).size(), 2000000u);
}

TEST(Html, EqualRecordsGiveEqualBytes) {
  const std::string before = write_html(samples::clean_tf32());
  for (const char* locale : {"C.UTF-8", "de_DE.UTF-8"}) {
    if (!std::setlocale(LC_ALL, locale)) continue;
    EXPECT_EQ(write_html(samples::clean_tf32()), before) << locale;
  }
  std::setlocale(LC_ALL, "C");
  EXPECT_EQ(write_html(read_json(write_json(samples::clean_tf32()))), before);
}

TEST(Html, NumbersThatAreNotFiniteBreakNoPicture) {
  RunRecord record = samples::clean_tf32();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   infinity = std::numeric_limits<double>::infinity();
  for (const double odd : {nan, infinity, -infinity, 0.0, -1.0, 1e-320, 1e308}) {
    for (StageResult& stage : record.stages) {
      stage.amplification = stage.share_of_final = stage.accumulated_relative = odd;
      stage.introduced->worst_share = stage.introduced->max_abs = odd;
      if (stage.map)
        std::fill(stage.map->heat.begin(), stage.map->heat.end(), static_cast<float>(odd));
      if (stage.map)
        std::fill(stage.map->channel_max.begin(), stage.map->channel_max.end(),
                  static_cast<float>(odd));
    }
    record.blocks[0].share_of_final = odd;
    const std::string page = write_html(record);
    const std::regex broken("(x|y|x1|x2|y1|y2|cx|cy|r|d|width|height)=\"[^\"]*(nan|inf|[0-9]{8,})");
    std::smatch match;
    EXPECT_FALSE(std::regex_search(page, match, broken)) << odd << " " << match.str();
  }
}

TEST(Html, VerdictSentenceComesFirst) {
  EXPECT_NE(
      write_html(samples::diverged())
          .find("<h1 id=\"verdict-sentence\">✗ Diverged: first at blocks.1.9 "
                "(Conv+BN+Relu), stage 8 of 19: the introduced error is 41.3× its bound.</h1>"),
      std::string::npos);
  EXPECT_NE(write_html(samples::identical())
                .find("✓ Identical: all 19 stages have the same bits on both sides."),
            std::string::npos);
}

}  // namespace
}  // namespace parity
