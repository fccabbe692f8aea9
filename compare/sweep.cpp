#include "compare/sweep.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "model/arithmetic/digest.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

const StageResult* stage_of(const RunRecord& record, int id) {
  for (const StageResult& stage : record.stages)
    if (stage.id == id) return &stage;
  return nullptr;
}

std::string name_of(const RunRecord& record, int id) {
  const StageResult* stage = stage_of(record, id);
  return stage == nullptr ? std::string() : stage->name;
}

/// The output that differs most, into the point.
void take_outputs(const RunRecord& record, SweepPoint& point) {
  for (const OutputResult& output : record.outputs) {
    if (output.beyond_tolerance && point.beyond_tolerance.empty())
      point.beyond_tolerance = output.name;
    const StageResult* maker = stage_of(record, output.stage);
    if (maker != nullptr && maker->tensor == output.name)
      point.outputs.emplace_back(output.name, maker->digest_a);
    if (!output.accumulated || output.accumulated->differing == 0) continue;
    const Comparison& c = *output.accumulated;
    point.same_bits = false;
    const bool mismatched = c.nan_mismatches > 0 || c.infinity_mismatches > 0;
    const double max_abs = mismatched ? infinity : c.max_abs;
    const double relative = max_abs == 0 ? 0 : c.rms_a > 0 ? max_abs / c.rms_a : infinity;
    if (!point.output.empty() && relative <= point.relative) continue;
    point.output = output.name;
    point.max_abs = max_abs;
    point.relative = relative;
  }
}

/// The points along one axis with all others held, in the axis's order.
struct Along {
  std::vector<const SweepPoint*> points;  ///< of those that ran
  std::vector<std::string> values;
  bool sizes = false;  ///< the values are numbers that grow, so that "from here on" means something
};

std::string listed(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

/// "from 500 on, not at 1, 10", "at every value", "at 10 and not at 1, 500"; empty: nowhere.
std::string where(const Along& along, const std::function<bool(const SweepPoint&)>& holds) {
  std::vector<std::string> yes, no;
  bool falls = false;  // holds somewhere and no longer at a later value
  for (std::size_t i = 0; i < along.points.size(); ++i) {
    const bool here = holds(*along.points[i]);
    falls = falls || (!here && !yes.empty());
    (here ? yes : no).push_back(along.values[i]);
  }
  if (yes.empty()) return "";
  if (no.empty()) return along.points.size() == 1 ? "at " + yes.front() : "at every value tried";
  if (along.sizes && !falls) return "from " + yes.front() + " on, not at " + listed(no);
  return "at " + listed(yes) + ", not at " + listed(no);
}

/// "conv1 (at 10), gru1 (at 500, 1000)", or the name alone when it is the same everywhere.
std::string stages_named(const Along& along,
                         const std::function<std::string(const SweepPoint&)>& stage_at) {
  std::vector<std::pair<std::string, std::vector<std::string>>> names;
  for (std::size_t i = 0; i < along.points.size(); ++i) {
    const std::string name = stage_at(*along.points[i]);
    if (name.empty()) continue;
    auto known = std::find_if(names.begin(), names.end(),
                              [&](const auto& each) { return each.first == name; });
    if (known == names.end()) known = names.insert(names.end(), {name, {}});
    known->second.push_back(along.values[i]);
  }
  if (names.size() == 1) return names.front().first;
  std::string text;
  for (const auto& [name, values] : names)
    text += (text.empty() ? "" : ", ") + name + " (at " + listed(values) + ")";
  return text;
}

/// The finding along one axis with all others held.
std::string told_along(const SweepAxis& axis, const Along& along) {
  const auto differs = [](const SweepPoint& p) { return !p.same_bits; };
  const auto diverges = [](const SweepPoint& p) { return !p.first_diverging.empty(); };
  const std::string diverged = where(along, diverges), different = where(along, differs);
  if (diverged.empty() && different.empty())
    return axis.name + ": the outputs have the same bits " +
           where(along, [](const auto&) { return true; });
  std::string text = axis.name + ": ";
  if (!diverged.empty())
    text += "a stage diverges " + diverged + ": " +
            stages_named(along, [](const SweepPoint& p) { return p.first_diverging; });
  if (!different.empty()) {
    text += std::string(diverged.empty() ? "" : "; ") + "the outputs differ " + different;
    const std::string introduced =
        stages_named(along, [](const SweepPoint& p) { return p.first_different; });
    if (!introduced.empty()) text += "; the first stage to give other bits is " + introduced;
  }
  return text;
}

/// The same sentence from every setting of the other axes is said once.
void find_along(SweepRecord& record, std::size_t axis) {
  const bool sizes = is_size(record.axes[axis]);
  std::map<std::vector<std::size_t>, Along> lines;
  std::vector<std::vector<std::size_t>> order;
  for (const SweepPoint& point : record.points) {
    if (!point.refused.empty()) continue;
    std::vector<std::size_t> others = point.at;
    others[axis] = 0;
    if (lines.find(others) == lines.end()) order.push_back(others);
    lines[others].points.push_back(&point);
    lines[others].sizes = sizes;
    lines[others].values.push_back(record.axes[axis].values[point.at[axis]]);
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> told;  // sentence, settings
  for (const auto& others : order) {
    std::string text = told_along(record.axes[axis], lines[others]);
    auto known = std::find_if(told.begin(), told.end(),
                              [&](const auto& each) { return each.first == text; });
    if (known == told.end()) known = told.insert(told.end(), {std::move(text), {}});
    known->second.push_back(setting_text(record.axes, others, axis));
  }
  for (auto& [text, settings] : told) {
    if (told.size() > 1) text += " (with " + listed(settings) + ")";
    record.findings.push_back({false, std::move(text)});
  }
}

const Digest* found(const std::vector<std::pair<std::string, Digest>>& all,
                    const std::string& name) {
  for (const auto& [each, digest] : all)
    if (each == name) return &digest;
  return nullptr;
}

/// Points whose inputs differ should not agree in an output's every bit. Of other shapes they may: a
/// longer sequence of one seed begins as a shorter one does.
void find_deaf_outputs(SweepRecord& record) {
  std::vector<std::string> told;
  for (std::size_t i = 0; i < record.points.size(); ++i)
    for (std::size_t j = i + 1; j < record.points.size(); ++j) {
      const SweepPoint &p = record.points[i], &q = record.points[j];
      if (p.input_shapes != q.input_shapes) continue;
      std::vector<std::string> changed;
      for (const auto& [name, digest] : p.inputs)
        if (const Digest* other = found(q.inputs, name); other && !(*other == digest))
          changed.push_back(name);
      if (changed.empty()) continue;
      for (const auto& [name, digest] : p.outputs) {
        const Digest* other = found(q.outputs, name);
        if (!other || !(*other == digest) ||
            std::find(told.begin(), told.end(), name) != told.end())
          continue;
        told.push_back(name);
        record.findings.push_back(
            {true, "output '" + name + "' keeps every bit between " +
                       setting_text(record.axes, p.at) + " and " + setting_text(record.axes, q.at) +
                       " although '" + listed(changed) +
                       "' changes: it does not depend on that input there, so its agreement shows "
                       "little"});
      }
    }
}

void find_unmoved_outputs(SweepRecord& record) {
  std::map<std::string, std::vector<std::string>> where_unmoved;
  for (const SweepPoint& point : record.points)
    for (const std::string& what : point.unmoved)
      where_unmoved[what].push_back(setting_text(record.axes, point.at));
  for (const auto& [what, settings] : where_unmoved)
    record.findings.push_back(
        {true, what + " bit for bit at " + listed(settings) +
                   ": the stages between them changed nothing, as if they had not run"});
}

void find_unjudged(SweepRecord& record) {
  struct Where {
    std::vector<std::string> settings;
    std::int64_t others = 0;
    std::string reason;  ///< at the first
  };
  std::map<std::string, Where> stages;
  for (const SweepPoint& point : record.points) {
    if (point.first_unjudged.empty()) continue;
    Where& where = stages[point.first_unjudged];
    if (where.settings.empty()) where.reason = point.unjudged_reason;
    where.settings.push_back(setting_text(record.axes, point.at));
    where.others = std::max(where.others, unjudged_of(point) - 1);
  }
  for (const auto& [stage, where] : stages) {
    std::string text = "stage " + stage + " could not be judged at " + listed(where.settings);
    if (where.others > 0) text += ", nor up to " + std::to_string(where.others) + " more there";
    text += where.reason.empty() ? "; `diff` says why"
                                 : " (" + where.settings.front() + ": " + where.reason + ")";
    record.findings.push_back({true, std::move(text)});
  }
}

void find_beyond(SweepRecord& record) {
  std::map<std::string, std::vector<std::string>> outputs;
  for (const SweepPoint& point : record.points)
    if (!point.beyond_tolerance.empty())
      outputs[point.beyond_tolerance].push_back(setting_text(record.axes, point.at));
  for (const auto& [output, settings] : outputs)
    record.findings.push_back(
        {false, "output '" + output + "' is beyond the tolerance at " + listed(settings)});
}

void find_refusals(SweepRecord& record) {
  std::vector<std::string> settings;
  std::string why;
  for (const SweepPoint& point : record.points)
    if (!point.refused.empty()) {
      settings.push_back(setting_text(record.axes, point.at));
      if (why.empty()) why = point.refused;
    }
  if (!settings.empty())
    record.findings.push_back({true, "nothing ran at " + listed(settings) + ": " + why});
}

/// device > invalid > diverged > incomplete > consistent; usage ends a sweep before it begins.
int severity(int exit_code) {
  constexpr int order[] = {0, 4, 1, 2, 3, 5};
  return static_cast<int>(std::find(std::begin(order), std::end(order), exit_code) - order);
}

}  // namespace

SweepPoint point_of(const RunRecord& record, std::span<const std::string> input_names,
                    std::span<const Tensor> inputs) {
  SweepPoint point;
  point.exit_code = record.exit_code;
  std::copy(std::begin(record.answers.counts), std::end(record.answers.counts), point.counts);
  take_outputs(record, point);
  point.first_different = name_of(record, record.answers.first_different);
  point.first_diverging = name_of(record, record.answers.first_diverging);
  for (const StageResult& stage : record.stages)
    if ((stage.verdict == Verdict::untrusted || stage.verdict == Verdict::not_run) &&
        point.first_unjudged.empty()) {
      point.first_unjudged = stage.name;
      point.unjudged_reason = stage.reason;
    }
  if (!record.answers.by_share.empty())
    if (const StageResult* stage = stage_of(record, record.answers.by_share.front())) {
      point.largest_share = stage->name;
      point.share = stage->share_of_final;
    }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    point.inputs.emplace_back(input_names[i], digest(inputs[i]));
    point.input_shapes += (i == 0 ? "" : " ") + to_string(inputs[i].shape());
  }
  for (const auto& [output, of_output] : point.outputs)
    for (const auto& [input, of_input] : point.inputs)
      if (of_input == of_output)
        point.unmoved.push_back("output '" + output + "' equals the input '" + input + "'");
  point.seconds = record.seconds;
  return point;
}

void conclude(SweepRecord& record) {
  record.findings.clear();
  record.exit_code = 0;
  for (const SweepPoint& point : record.points)
    if (severity(point.exit_code) > severity(record.exit_code)) record.exit_code = point.exit_code;
  for (std::size_t axis = 0; axis < record.axes.size(); ++axis)
    if (record.axes[axis].values.size() > 1) find_along(record, axis);
  find_beyond(record);
  find_refusals(record);
  find_unjudged(record);
  find_unmoved_outputs(record);
  find_deaf_outputs(record);
}

}  // namespace parity
