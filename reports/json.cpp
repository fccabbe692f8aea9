#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "model/json_fault.hpp"
#include "reports/escape.hpp"
#include "reports/json_fields.hpp"
#include "reports/numbers.hpp"
#include "reports/reports.hpp"

namespace parity {
namespace reports {
namespace {

constexpr int schema_version = 1;
constexpr std::int64_t largest_heat_map = 128;
constexpr std::int64_t most_channels = 512;

/// Writes objects with a key per line and arrays of scalars on one line.
class Writer {
 public:
  template <class S>
  void object(const S& s) {
    open('{');
    fields(*this, s);
    close('}');
  }

  template <class T>
  void operator()(std::string_view key, const T& value, Absent = Absent::refused) {
    item();
    out_ += json_string(key) + ": ";
    put(value);
  }

  std::string take() { return std::move(out_) + "\n"; }
  void open(char bracket) {
    out_ += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) line();
    out_ += bracket;
    first_ = false;
  }

 private:
  void line() { out_ += "\n" + std::string(2 * static_cast<std::size_t>(depth_), ' '); }
  void item() {
    if (!first_) out_ += ",";
    first_ = false;
    line();
  }

  void put(bool value) { out_ += value ? "true" : "false"; }
  void put(int value) { out_ += std::to_string(value); }
  void put(std::int64_t value) { out_ += std::to_string(value); }
  void put(std::uint64_t bits) { out_ += fmt::format("\"0x{:x}\"", bits); }
  void put(const std::string& text) { out_ += json_string(text); }
  void put(Verdict verdict) { out_ += json_string(name(verdict)); }
  void put(Cause cause) { out_ += json_string(name(cause)); }
  void put(Blame blame) { out_ += json_string(name(blame)); }
  void put(Proof proof) { out_ += json_string(name(proof)); }
  void put(const Digest& digest) { out_ += json_string(to_string(digest)); }
  void put(double value) { real(value); }
  void put(float value) { real(value); }
  void put(const std::pair<std::string, std::string>& pair) {
    out_ += "[" + json_string(pair.first) + ", " + json_string(pair.second) + "]";
  }

  template <class Real>
  void real(Real value) {
    const std::string text = shortest(value);
    if (!std::isfinite(value)) {
      out_ += json_string(text);
      return;
    }
    out_ += text;
    // "-0" would be read back as an integer, which has no negative zero.
    if (text.find_first_of(".e") == std::string::npos) out_ += ".0";
  }

  template <class T>
  void put(const std::optional<T>& value) {
    if (value)
      put(*value);
    else
      out_ += "null";
  }

  template <class List>
  void scalars(const List& list) {
    out_ += "[";
    bool first = true;
    for (const auto& value : list) {
      if (!first) out_ += ", ";
      first = false;
      put(value);
    }
    out_ += "]";
  }
  void put(const std::array<std::int64_t, ulp_bins>& list) { scalars(list); }
  void put(const std::int64_t (&list)[5]) { scalars(list); }
  void put(const std::vector<int>& list) { scalars(list); }
  void put(const std::vector<std::int64_t>& list) { scalars(list); }
  void put(const std::vector<float>& list) { scalars(list); }
  void put(const std::vector<std::string>& list) { scalars(list); }

  template <class T>
  void put(const std::vector<T>& list) {
    open('[');
    for (const T& value : list) {
      item();
      put(value);
    }
    close(']');
  }

  template <class S>
  void put(const S& s) {
    object(s);
  }

  std::string out_;
  int depth_ = 0;
  bool first_ = true;
};

/// Reads what Writer wrote and nothing else: every key once, but those that older documents lack,
/// every type exact.
class Reader {
 public:
  Reader(const nlohmann::json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json_.is_object()) refuse("is not an object");
  }

  template <class T>
  void operator()(const std::string& key, T& value, Absent absent = Absent::refused) {
    const auto found = json_.find(key);
    if (found == json_.end() && absent == Absent::keeps_default) return;
    if (found == json_.end()) refuse("has no \"" + key + "\"");
    known_.push_back(key);
    get(*found, path_.empty() ? key : path_ + "." + key, value);
  }

  /// Throws when the object has a key that no field asked for.
  void finish() const {
    for (const auto& entry : json_.items())
      if (std::find(known_.begin(), known_.end(), entry.key()) == known_.end())
        refuse("has the unknown key \"" + printable(entry.key()) + "\"");
  }

 private:
  using Json = nlohmann::json;

  [[noreturn]] static void refuse_at(const std::string& path, const std::string& why) {
    throw Error(Fault::bad_input,
                "cannot read the run record: " + (path.empty() ? "the document" : path) + " " +
                    why + ". Write it again with --report FILE.json.");
  }
  [[noreturn]] void refuse(const std::string& why) const { refuse_at(path_, why); }

  template <class Integer>
  static void integer(const Json& json, const std::string& path, Integer& value) {
    if (!json.is_number_integer()) refuse_at(path, "is not an integer");
    if (json.is_number_unsigned()) {
      const auto wide = json.get<std::uint64_t>();
      if (wide > static_cast<std::uint64_t>(std::numeric_limits<Integer>::max()))
        refuse_at(path, "is out of range");
      value = static_cast<Integer>(wide);
      return;
    }
    const auto wide = json.get<std::int64_t>();
    if (wide < std::numeric_limits<Integer>::min()) refuse_at(path, "is out of range");
    value = static_cast<Integer>(wide);
  }

  static void get(const Json& json, const std::string& path, int& value) {
    integer(json, path, value);
  }
  static void get(const Json& json, const std::string& path, std::int64_t& value) {
    integer(json, path, value);
  }
  static void get(const Json& json, const std::string& path, bool& value) {
    if (!json.is_boolean()) refuse_at(path, "is neither true nor false");
    value = json.get<bool>();
  }
  static void get(const Json& json, const std::string& path, double& value) {
    if (json.is_number()) {
      value = json.get<double>();
      return;
    }
    const std::string text = json.is_string() ? json.get<std::string>() : "";
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (text == "NaN")
      value = std::numeric_limits<double>::quiet_NaN();
    else if (text == "Infinity" || text == "-Infinity")
      value = text[0] == '-' ? -infinity : infinity;
    else
      refuse_at(path, R"(is neither a number nor "NaN", "Infinity" or "-Infinity")");
  }
  static void get(const Json& json, const std::string& path, float& value) {
    double wide = 0;
    get(json, path, wide);
    value = static_cast<float>(wide);
  }
  static void get(const Json& json, const std::string& path, std::string& value) {
    if (!json.is_string()) refuse_at(path, "is not a string");
    value = json.get<std::string>();
  }
  static std::uint64_t hexadecimal(std::string_view digits, const std::string& path) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc() || end != digits.data() + digits.size())
      refuse_at(path, "is not hexadecimal");
    return value;
  }
  static void get(const Json& json, const std::string& path, std::uint64_t& value) {
    std::string text;
    get(json, path, text);
    if (text.rfind("0x", 0) != 0) refuse_at(path, "does not begin with 0x");
    value = hexadecimal(std::string_view(text).substr(2), path);
  }
  static void get(const Json& json, const std::string& path, Digest& value) {
    std::string text;
    get(json, path, text);
    if (text.size() != 32) refuse_at(path, "is not a digest of 32 hex digits");
    const std::string_view digits = text;
    value.lane[0] = hexadecimal(digits.substr(0, 16), path);
    value.lane[1] = hexadecimal(digits.substr(16), path);
    // Which lane stands first is to_string's business.
    if (to_string(value) != text) std::swap(value.lane[0], value.lane[1]);
    if (to_string(value) != text) refuse_at(path, "is not a digest of 32 lower-case hex digits");
  }
  static void get(const Json& json, const std::string& path, Verdict& value) {
    std::string text;
    get(json, path, text);
    const std::optional<Verdict> verdict = verdict_named(text);
    if (!verdict) refuse_at(path, "is not a verdict");
    value = *verdict;
  }
  static void get(const Json& json, const std::string& path, Blame& value) {
    std::string text;
    get(json, path, text);
    const std::optional<Blame> blame = blame_named(text);
    if (!blame) refuse_at(path, "is not nobody, a, b or pair");
    value = *blame;
  }
  static void get(const Json& json, const std::string& path, Proof& value) {
    std::string text;
    get(json, path, text);
    const std::optional<Proof> proof = proof_named(text);
    if (!proof) refuse_at(path, "is not bits, bound or pattern");
    value = *proof;
  }
  static void get(const Json& json, const std::string& path, Cause& value) {
    std::string text;
    get(json, path, text);
    const std::optional<Cause> cause = cause_named(text);
    if (!cause) refuse_at(path, "is not a cause");
    value = *cause;
  }
  static void get(const Json& json, const std::string& path,
                  std::pair<std::string, std::string>& value) {
    if (!json.is_array() || json.size() != 2) refuse_at(path, "is not a pair of strings");
    get(json[0], path + "[0]", value.first);
    get(json[1], path + "[1]", value.second);
  }
  template <class T>
  static void get(const Json& json, const std::string& path, std::optional<T>& value) {
    if (json.is_null()) return;
    get(json, path, value.emplace());
  }
  template <class T>
  static void get(const Json& json, const std::string& path, std::vector<T>& list) {
    if (!json.is_array()) refuse_at(path, "is not an array");
    list.resize(json.size());
    for (std::size_t i = 0; i < list.size(); ++i)
      get(json[i], path + "[" + std::to_string(i) + "]", list[i]);
  }
  template <class List>
  static void exactly(const Json& json, const std::string& path, std::size_t count, List& list) {
    if (!json.is_array() || json.size() != count)
      refuse_at(path, "is not an array of " + std::to_string(count));
    for (std::size_t i = 0; i < count; ++i)
      get(json[i], path + "[" + std::to_string(i) + "]", list[i]);
  }
  static void get(const Json& json, const std::string& path,
                  std::array<std::int64_t, ulp_bins>& list) {
    exactly(json, path, ulp_bins, list);
  }
  static void get(const Json& json, const std::string& path, std::int64_t (&list)[5]) {
    exactly(json, path, 5, list);
  }
  template <class S>
  static void get(const Json& json, const std::string& path, S& s) {
    Reader reader(json, path);
    fields(reader, s);
    reader.finish();
    if constexpr (std::is_same_v<S, ErrorMap>) {
      const bool sized = s.rows >= 0 && s.columns >= 0 && s.rows <= largest_heat_map &&
                         s.columns <= largest_heat_map &&
                         static_cast<std::int64_t>(s.heat.size()) == s.rows * s.columns;
      if (!sized) refuse_at(path, "has a heat map that is not rows x columns, each at most 128");
      if (static_cast<std::int64_t>(s.channel_max.size()) > most_channels)
        refuse_at(path, "has more than 512 channel maxima");
    }
  }

  const Json& json_;
  std::string path_;
  std::vector<std::string> known_;
};

nlohmann::json parsed(std::string_view text) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& failure) {
    throw Error(Fault::bad_input, "cannot read the run record: " + json_fault(failure) +
                                      ". Give a file that --report FILE.json wrote.");
  }
}

}  // namespace
}  // namespace reports

std::string write_json(const RunRecord& record) {
  reports::Times times{record.started, record.seconds, record.peak_bytes, {}};
  for (const StageResult& stage : record.stages)
    times.stages.push_back(
        {stage.id, stage.seconds_a, stage.seconds_b, stage.seconds_local, stage.seconds_magnitude});
  reports::Writer writer;
  writer.open('{');
  reports::fields(writer, record);
  writer("times", times);
  writer.close('}');
  return writer.take();
}

RecordKind record_kind(std::string_view text) {
  const nlohmann::json json = reports::parsed(text);
  if (json.is_object() && json.contains("paritylab_sweep")) return RecordKind::sweep;
  if (json.is_object() && json.contains("schema")) return RecordKind::run;
  std::string other;
  if (json.is_object())
    for (const auto& entry : json.items())
      if (entry.key().rfind("paritylab_", 0) == 0)
        other =
            " (its field " + reports::printable(entry.key().substr(0, 40)) + " says what it is)";
  throw Error(Fault::bad_input, "the file holds no record of a `diff` or a `sweep`" + other +
                                    ". Give one that `paritylab diff ... --report FILE.json` or "
                                    "`paritylab sweep ... --report FILE.json` wrote.");
}

RunRecord read_json(std::string_view text) {
  const nlohmann::json json = reports::parsed(text);
  if (json.is_object() && json.contains("schema") && json["schema"] != reports::schema_version)
    throw Error(Fault::bad_input,
                "cannot read the run record: it follows schema version " +
                    reports::printable(json["schema"].dump().substr(0, 20)) +
                    " and this program reads version " + std::to_string(reports::schema_version) +
                    ". Use the release of paritylab that wrote it (field tool_version).");
  RunRecord record;
  reports::Times times;
  reports::Reader reader(json, "");
  reports::fields(reader, record);
  reader("times", times);
  reader.finish();
  if (times.stages.size() != record.stages.size())
    throw Error(Fault::bad_input, "cannot read the run record: times.stages has " +
                                      std::to_string(times.stages.size()) + " rows for " +
                                      std::to_string(record.stages.size()) +
                                      " stages. Write it again with --report FILE.json.");
  record.started = times.started;
  record.seconds = times.seconds;
  record.peak_bytes = times.peak_bytes;
  for (std::size_t i = 0; i < record.stages.size(); ++i) {
    record.stages[i].seconds_a = times.stages[i].seconds_a;
    record.stages[i].seconds_b = times.stages[i].seconds_b;
    record.stages[i].seconds_local = times.stages[i].seconds_local;
    record.stages[i].seconds_magnitude = times.stages[i].seconds_magnitude;
  }
  return record;
}

}  // namespace parity
