#include <gtest/gtest.h>

#include <clocale>
#include <nlohmann/json.hpp>
#include <regex>

#include "model/error.hpp"
#include "reports/reports.hpp"
#include "tests/reports/files.hpp"

namespace parity {
namespace {

using nlohmann::json;

/// As much of JSON Schema as our schema uses; returns the first thing that does not fit, or
/// nothing.
class Schema {
 public:
  explicit Schema(json root) : root_(std::move(root)) {}

  std::string complaint(const json& value) const { return check(root_, value, "$"); }

 private:
  static bool is(const std::string& type, const json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "null") return value.is_null();
    throw std::runtime_error("the schema uses the unknown type " + type);
  }

  std::string check(const json& schema, const json& value, const std::string& path) const {
    for (const auto& [keyword, rule] : schema.items()) {
      std::string why;
      if (keyword == "$ref") {
        why = check(root_.at(json::json_pointer(rule.get<std::string>().substr(1))), value, path);
      } else if (keyword == "type") {
        if (!is(rule, value)) why = path + " is not of type " + rule.get<std::string>();
      } else if (keyword == "anyOf") {
        bool any = false;
        for (const json& option : rule) {
          const std::string reason = check(option, value, path);
          any = any || reason.empty();
          if (!reason.empty()) why = reason;
        }
        if (any) why.clear();
      } else if (keyword == "enum") {
        if (std::find(rule.begin(), rule.end(), value) == rule.end())
          why = path + " is none of " + rule.dump();
      } else if (keyword == "const") {
        if (value != rule) why = path + " is not " + rule.dump();
      } else if (keyword == "pattern") {
        if (!std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>())))
          why = path + " does not match " + rule.get<std::string>();
      } else if (keyword == "minItems" || keyword == "maxItems") {
        if (keyword == "minItems" ? value.size() < rule : value.size() > rule)
          why = path + " has a wrong number of items";
      } else if (keyword == "items") {
        for (std::size_t i = 0; i < value.size() && why.empty(); ++i)
          why = check(rule, value[i], path + "[" + std::to_string(i) + "]");
      } else if (keyword == "required") {
        for (const json& name : rule)
          if (!value.contains(name)) why = path + " lacks " + name.dump();
      } else if (keyword == "properties") {
        for (const auto& [name, rule_of_name] : rule.items())
          if (value.contains(name) && why.empty())
            why = check(rule_of_name, value[name], path + "." + name);
      } else if (keyword == "additionalProperties") {
        for (const auto& entry : value.items())
          if (!schema.at("properties").contains(entry.key()))
            why = path + " has the unknown key " + entry.key();
      } else if (keyword != "description" && keyword != "title" && keyword != "$schema" &&
                 keyword != "$defs") {
        throw std::runtime_error("this test does not know the schema's keyword " + keyword);
      }
      if (!why.empty()) return why;
    }
    return "";
  }

  json root_;
};

Schema committed_schema() {
  return Schema(json::parse(samples::read_file(std::string(PARITYLAB_SOURCE) +
                                               "/reports/schema/run_record.schema.json")));
}

std::string refusal(const std::string& text) {
  try {
    read_json(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::bad_input);
    return error.what();
  }
  ADD_FAILURE() << "this was read: " << text.substr(0, 200);
  return "";
}

std::string changed(void (*change)(json&)) {
  json document = json::parse(write_json(samples::diverged()));
  change(document);
  return document.dump();
}

TEST(Json, ReadsBackEveryFieldOfEverySample) {
  for (const auto& [name, record] : samples::all()) {
    const std::string text = write_json(record);
    EXPECT_EQ(write_json(read_json(text)), text) << name;
  }
}

TEST(Json, NoFieldOfTheRecordIsForgotten) {
#ifdef __GLIBCXX__
  const char* const advice =
      "a field came or went: list it in reports/json_fields.hpp and in the schema, then adapt this "
      "size";
  EXPECT_EQ(sizeof(StageResult), 2480u) << advice;
  EXPECT_EQ(sizeof(Comparison), 560u) << advice;
  EXPECT_EQ(sizeof(RunRecord), 1040u) << advice;
  EXPECT_EQ(sizeof(DecisionResult), 216u) << advice;
  EXPECT_EQ(sizeof(DecisionPoint), 72u) << advice;
  EXPECT_EQ(sizeof(Answers), 160u) << advice;
  EXPECT_EQ(sizeof(SideRecord), 216u) << advice;
#endif
}

TEST(Json, KeepsTheBitsOfUnusualNumbers) {
  RunRecord record = samples::single();
  constexpr double values[] = {-0.0,
                               std::numeric_limits<double>::denorm_min(),
                               std::numeric_limits<double>::max(),
                               -std::numeric_limits<double>::infinity(),
                               0.1 + 0.2,
                               9007199254740993.0};
  for (const double value : values) {
    record.stages[0].share_of_final = value;
    const double back = read_json(write_json(record)).stages[0].share_of_final;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(value)) << value;
  }
  record.stages[0].share_of_final = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(read_json(write_json(record)).stages[0].share_of_final));
  // Every float that the heat map may hold, sampled over all exponents.
  samples::Seeded random(1);
  ErrorMap map;
  map.rows = map.columns = 128;
  while (map.heat.size() < 128 * 128) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random.bits()));
    map.heat.push_back(std::isnan(value) ? 0 : value);
  }
  record.stages[0].map = map;
  const std::vector<float> back = read_json(write_json(record)).stages[0].map->heat;
  for (std::size_t i = 0; i < map.heat.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(back[i]), std::bit_cast<std::uint32_t>(map.heat[i]))
        << map.heat[i];
}

TEST(Json, FollowsItsSchema) {
  const Schema schema = committed_schema();
  for (const auto& [name, record] : samples::all())
    EXPECT_EQ(schema.complaint(json::parse(write_json(record))), "") << name;
}

TEST(Json, SchemaRefusesWhatTheReaderRefuses) {
  const Schema schema = committed_schema();
  for (const std::string& text :
       {changed([](json& d) { d["surprise"] = 1; }),
        changed([](json& d) { d["stages"][0].erase("verdict"); }),
        changed([](json& d) { d["stages"][0]["verdict"] = "fine"; }),
        changed([](json& d) { d["opset"] = "17"; }), changed([](json& d) { d["schema"] = 2; })}) {
    EXPECT_NE(schema.complaint(json::parse(text)), "");
    EXPECT_NE(refusal(text), "");
  }
}

TEST(Json, TimesStandInOneObjectOnly) {
  const RunRecord one = samples::clean_tf32();
  RunRecord other = one;
  other.started = "2030-01-01T00:00:00Z";
  other.seconds = 99;
  other.peak_bytes = 1;
  for (StageResult& stage : other.stages) {
    stage.seconds_a = 1, stage.seconds_b = 2, stage.seconds_local = 3, stage.seconds_magnitude = 4;
  }
  json x = json::parse(write_json(one)), y = json::parse(write_json(other));
  EXPECT_NE(x["times"], y["times"]);
  x.erase("times"), y.erase("times");
  EXPECT_EQ(x, y);
}

TEST(Json, DependsOnNoLocale) {
  const std::string before = write_json(samples::clean_tf32());
  for (const char* locale : {"de_DE.UTF-8", "tr_TR.UTF-8", "C.UTF-8"}) {
    if (!std::setlocale(LC_ALL, locale)) continue;
    EXPECT_EQ(write_json(samples::clean_tf32()), before) << locale;
  }
  std::setlocale(LC_ALL, "C");
}

TEST(Json, RefusesAnotherVersionByItsNumber) {
  const std::string why = refusal(changed([](json& d) { d["schema"] = 7; }));
  EXPECT_NE(why.find("schema version 7"), std::string::npos) << why;
}

TEST(Json, ReadsDecisionsThatWereWrittenBeforeTheyHadAnAxis) {
  json document = json::parse(write_json(samples::clean_tf32()));
  ASSERT_FALSE(document["decisions"].empty());
  for (json& decision : document["decisions"]) ASSERT_EQ(decision.erase("axis"), 1U);
  EXPECT_EQ(committed_schema().complaint(document), "");
  const RunRecord record = read_json(document.dump());
  for (const DecisionResult& decision : record.decisions) EXPECT_FALSE(decision.axis);
  EXPECT_NE(write_text(record).find("argmax:1: 1 of 65,536 decisions flipped"), std::string::npos);
}

TEST(Json, RefusalNamesThePlace) {
  const std::pair<void (*)(json&), const char*> cases[] = {
      {[](json& d) { d["stages"][3]["introduced"]["max_abs"] = "big"; },
       "stages[3].introduced.max_abs"},
      {[](json& d) { d["stages"][3]["introduced"]["ulp_histogram"].push_back(1); },
       "stages[3].introduced.ulp_histogram"},
      {[](json& d) { d["stages"][7]["map"]["heat"].push_back(1); }, "stages[7].map"},
      {[](json& d) { d["stages"][7]["map"]["rows"] = 1000000; }, "stages[7].map"},
      {[](json& d) { d["stages"][0]["digest_a"] = "xyz"; }, "stages[0].digest_a"},
      {[](json& d) { d["stages"][0]["id"] = 1e300; }, "stages[0].id"},
      {[](json& d) { d["stages"][0]["id"] = 5000000000; }, "stages[0].id"},
      {[](json& d) { d["stages"][7]["introduced"]["worst"]["a_bits"] = "3f800000"; },
       "stages[7].introduced.worst.a_bits"},
      {[](json& d) { d["answers"]["counts"] = json::array(); }, "answers.counts"},
      {[](json& d) { d["b"] = nullptr; }, "b"},
      {[](json& d) { d["times"]["stages"].erase(0); }, "times.stages"},
      {[](json& d) { d["outputs"][0]["surprise"] = 1; }, "outputs[0]"},
  };
  for (const auto& [change, place] : cases) {
    const std::string why = refusal(changed(change));
    EXPECT_NE(why.find(place), std::string::npos) << why;
  }
}

TEST(Json, RefusesWhatIsNoDocument) {
  for (const char* text : {"", "{", "null", "[]", "3", "\"x\"", "{}", "\xff\xfe", "{\"schema\":1}",
                           "{\"schema\":1e999}"})
    EXPECT_NE(refusal(text), "") << text;
  EXPECT_NE(refusal(std::string(100000, '[')), "");
}

TEST(Json, EveryPrefixOfADocumentIsRefused) {
  const std::string text = write_json(samples::single());
  for (std::size_t length = 0; length + 1 < text.size(); length += 7)
    EXPECT_NE(refusal(text.substr(0, length)), "");
}

TEST(Json, ReportsSurviveARecordWhoseIdsPointNowhere) {
  json document = json::parse(write_json(samples::diverged()));
  document["answers"]["first_diverging"] = 999;
  document["answers"]["by_share"] = {-5, 1000000};
  document["answers"]["milestones"][0]["stage"] = 77;
  document["blocks"][0]["last"] = -3;
  document["outputs"][0]["stage"] = 12345;
  document["stages"][2]["producers"] = {400};
  const RunRecord record = read_json(document.dump());
  for (const Format format : {Format::html, Format::json, Format::junit, Format::markdown})
    EXPECT_FALSE(write_report(record, format).empty());
  EXPECT_FALSE(write_text(record).empty());
}

}  // namespace
}  // namespace parity
