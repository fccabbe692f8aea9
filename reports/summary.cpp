#include "reports/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "reports/numbers.hpp"

namespace parity::reports {
namespace {

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += between;
    text += part;
  }
  return text;
}

std::string stages_of(std::size_t count) {
  return count == 1 ? "1 stage" : fmt::format("{} stages", count);
}

std::int64_t count(const RunRecord& record, Verdict verdict) {
  return record.answers.counts[static_cast<int>(verdict)];
}

const StageResult* first_with(const RunRecord& record, Verdict verdict) {
  for (const StageResult& stage : record.stages)
    if (stage.verdict == verdict) return &stage;
  return nullptr;
}

/// "stage 8 of 19": its place, not its id, which may start elsewhere when a part is run.
std::string place(const RunRecord& record, const StageResult& stage) {
  return fmt::format("stage {} of {}", &stage - record.stages.data() + 1, record.stages.size());
}

std::string how_far(const StageResult& stage) {
  if (!stage.introduced) return "the introduced error leaves its bound";
  const Comparison& c = *stage.introduced;
  const double introduced = c.judged ? c.worst_share : 0;
  for (const auto& [side, exact] : {std::pair{"a", &stage.exact_a}, std::pair{"b", &stage.exact_b}})
    if (*exact && std::isfinite((*exact)->worst_share) && (*exact)->worst_share > 1 &&
        (*exact)->worst_share == largest_share_of_bound(stage) &&
        (*exact)->worst_share > introduced)
      return fmt::format("{} lies {}× its own bound away from the exact value", side,
                         brief((*exact)->worst_share));
  if (std::isfinite(introduced) && introduced > 1)
    return fmt::format("the introduced error is {}× its bound", brief(introduced));
  if (c.nan_mismatches + c.infinity_mismatches > 0)
    return c.nan_mismatches + c.infinity_mismatches == 1
               ? "1 element is NaN or infinite on one side only"
               : fmt::format("{} elements are NaN or infinite on one side only",
                             grouped(c.nan_mismatches + c.infinity_mismatches));
  if (c.differing > 0 && (!c.judged || std::isinf(c.worst_share)))
    return fmt::format("{} of {} elements {} other bits where none may", grouped(c.differing),
                       grouped(c.elements), c.differing == 1 ? "has" : "have");
  if (stage.statistics)
    for (const auto* side : {&stage.statistics->a, &stage.statistics->b})
      if (*side && (*side)->fails())
        return fmt::format(
            "the introduced error is within its bound ({} of it), and not within "
            "the statistics of its rounding",
            brief(c.worst_share, 2));
  return "one side leaves its own bound";
}

/// How many stages of a side passed, of how many that had, a twin test.
struct TwinCount {
  int equal = 0, tested = 0;
};
TwinCount twins(const RunRecord& record, std::optional<TwinTest> StageResult::*side) {
  TwinCount result;
  for (const StageResult& stage : record.stages) {
    if (!(stage.*side)) continue;
    ++result.tested;
    result.equal += (stage.*side)->differing == 0 ? 1 : 0;
  }
  return result;
}

}  // namespace

std::string_view words(Verdict verdict) {
  switch (verdict) {
    case Verdict::same_bits:
      return "same bits";
    case Verdict::within_bound:
      return "within bound";
    case Verdict::diverged:
      return "diverged";
    case Verdict::untrusted:
      return "untrusted";
    case Verdict::not_run:
      return "not run";
  }
  return "";
}

std::string_view glyph(Verdict verdict) {
  switch (verdict) {
    case Verdict::same_bits:
      return "=";
    case Verdict::within_bound:
      return "✓";
    case Verdict::diverged:
      return "✗";
    case Verdict::untrusted:
      return "?";
    case Verdict::not_run:
      return "–";
  }
  return "";
}

const StageResult* find(const RunRecord& record, int id) {
  for (const StageResult& stage : record.stages)
    if (stage.id == id) return &stage;
  return nullptr;
}

std::string name_of(const StageResult& stage) {
  return stage.name.empty() ? fmt::format("stage {}", stage.id) : stage.name;
}

std::string name_of(const RunRecord& record, int id) {
  const StageResult* stage = find(record, id);
  return stage ? name_of(*stage) : fmt::format("stage {}", id);
}

std::string titled(const StageResult& stage) {
  const std::string ops = ops_text(stage);
  return ops.empty() ? name_of(stage) : name_of(stage) + " (" + ops + ")";
}

Headline headline(const RunRecord& record) {
  const Answers& answers = record.answers;
  const std::size_t total = record.stages.size();
  if (const StageResult* stage = find(record, answers.first_diverging))
    return {
        Conclusion::diverged, "diverged",
        fmt::format("first at {}, {}: {}", titled(*stage), place(record, *stage), how_far(*stage))};
  if (total == 0) return {Conclusion::incomplete, "not run", "no stage was compared"};
  for (const Verdict verdict : {Verdict::untrusted, Verdict::not_run}) {
    const StageResult* stage = first_with(record, verdict);
    if (!stage) continue;
    const std::string rest = stage->reason.empty() ? "" : ": " + stage->reason;
    return {Conclusion::incomplete, std::string(words(verdict)),
            fmt::format("{} of {} say nothing, first {}{}; no judged stage leaves its bound",
                        count(record, verdict), stages_of(total), titled(*stage), rest)};
  }
  if (count(record, Verdict::same_bits) == static_cast<std::int64_t>(total))
    return {Conclusion::identical, "identical",
            total == 1 ? "the one stage has the same bits on both sides"
                       : fmt::format("all {} have the same bits on both sides", stages_of(total))};
  std::string worst;
  if (const StageResult* stage = find(record, answers.worst_share_stage))
    worst = fmt::format(" (of bound at most {}, at {})", share_of_bound(*stage), name_of(*stage));
  return {Conclusion::explained, "explained by arithmetic",
          "no stage leaves its derived bound" + worst};
}

std::string evidence(const RunRecord& record) {
  std::vector<std::string> parts;
  if (const StageResult* stage = find(record, record.answers.first_diverging)) {
    if (!stage->reason.empty()) parts.push_back(stage->reason);
    if (stage->blame != Blame::nobody)
      parts.push_back("blamed: " + std::string(name(stage->blame)));
    if (!stage->diagnoses.empty())
      parts.push_back("looks like " + diagnosis_name(stage->diagnoses.front()));
    const std::int64_t others = count(record, Verdict::diverged) - 1;
    if (others > 0) parts.push_back(fmt::format("{} more diverged", others));
  }
  const TwinCount b = twins(record, &StageResult::twin_b), a = twins(record, &StageResult::twin_a);
  if (b.tested > 0)
    parts.push_back(fmt::format("side b equals its CPU twin bit for bit in {} of {} stages",
                                b.equal, b.tested));
  if (a.tested > 0 && a.equal < a.tested)
    parts.push_back(fmt::format("side a equals its CPU twin bit for bit in {} of {} stages",
                                a.equal, a.tested));
  parts.push_back(counts_text(record));
  return join(parts, "; ");
}

std::string diagnosis_name(const Diagnosis& diagnosis) {
  std::string label = diagnosis.label;
  std::replace(label.begin(), label.end(), '_', ' ');
  const std::string proof = diagnosis.proof == Proof::bits ? "proved bit for bit"
                            : diagnosis.proof == Proof::bound
                                ? "proved within the bound"
                                : "by its pattern, " + percent(diagnosis.confidence);
  return label + " (" + proof + ")";
}

std::string box_text(const Diagnosis& diagnosis) {
  if (diagnosis.box_first.empty()) return "";
  const auto corner = [](const std::vector<std::int64_t>& at) {
    return fmt::format("[{}]", fmt::join(at, ","));
  };
  if (diagnosis.box_first == diagnosis.box_last) return corner(diagnosis.box_first);
  return corner(diagnosis.box_first) + " to " + corner(diagnosis.box_last);
}

std::string counts_text(const RunRecord& record) {
  std::vector<std::string> parts;
  for (const Verdict verdict : {Verdict::diverged, Verdict::untrusted, Verdict::not_run,
                                Verdict::within_bound, Verdict::same_bits})
    if (count(record, verdict) > 0)
      parts.push_back(fmt::format("{} {}", count(record, verdict), words(verdict)));
  return parts.empty() ? "no stage" : join(parts, ", ");
}

std::vector<const StageResult*> origins(const RunRecord& record, std::size_t most) {
  std::vector<const StageResult*> stages;
  for (const int id : record.answers.by_share) {
    const StageResult* stage = find(record, id);
    // Shares that print as "<0.1 %" tell nothing, unless there is no other.
    const bool tells =
        stage && (stage->share_of_final >= 1e-3 || (stages.empty() && stage->share_of_final > 0));
    if (!tells || stages.size() == most) break;
    stages.push_back(stage);
  }
  return stages;
}

std::string origin_name(const StageResult& stage) {
  return stage.introduced ? name_of(stage) : "somewhere up to " + name_of(stage) + " (not judged)";
}

bool stages_follow(const RunRecord& record) {
  if (record.stages.empty()) return true;
  return std::any_of(record.stages.begin(), record.stages.end(),
                     [](const StageResult& stage) { return stage.accumulated.has_value(); });
}

Symbols symbols_of(const RunRecord& record) {
  if (record.b.backend == "capture") return {"b − l", "l − a", "a fed with b's inputs", "b's"};
  return {"l − a", "b − l", "b fed with a's inputs", "a's"};
}

std::string origin_facts(const RunRecord& record) {
  std::vector<std::string> parts;
  if (const StageResult* stage = find(record, record.answers.first_different))
    parts.push_back("first different bits at " + name_of(*stage));
  const Symbols symbols = symbols_of(record);
  if (const StageResult* stage = find(record, record.answers.largest_introduced))
    parts.push_back("largest introduced error at " + name_of(*stage) +
                    (stage->introduced
                         ? fmt::format(" (max |{}| {}; l: {})", symbols.introduced,
                                       brief(stage->introduced->max_abs, 2), symbols.fed)
                         : ""));
  return join(parts, "; ");
}

std::string causes_text(const RunRecord& record) {
  const Answers& answers = record.answers;
  std::vector<std::string> parts;
  for (const CauseTotal& cause : answers.causes)
    if (std::abs(cause.share) >= 5e-4 || parts.empty())
      parts.push_back(cause.what + " " + percent_in_tenths(cause.share));
  if (parts.empty()) return "";
  std::int64_t attributed = 0, certified = 0, sampled = 0;
  double certified_share = 0;
  for (const StageResult& stage : record.stages) {
    // What makes nothing of the final error has no part in its causes.
    if (!stage.attribution || !(answers.attributed_share == 0 || stage.share_of_final > 0))
      continue;
    ++attributed;
    if (!stage.attribution->certificate.empty()) {
      ++certified;
      certified_share += stage.share_of_final;
    } else if (!stage.attribution->summation.empty()) {
      ++sampled;
    }
  }
  std::string text = join(parts, ", ");
  if (answers.attributed_share > 0)
    text +=
        fmt::format(" (in the {} that {} {} of it", stages_of(static_cast<std::size_t>(attributed)),
                    attributed == 1 ? "makes" : "make", percent(answers.attributed_share));
  else
    text += fmt::format(" (in {}", stages_of(static_cast<std::size_t>(attributed)));
  if (sampled > 0) text += fmt::format("; {} on a sample", sampled);
  if (certified == attributed) return text + "; all explained bit for bit)";
  if (certified == 0) return text + "; none explained bit for bit)";
  // A count alone reads as a contradiction where the others make nearly all of it.
  const std::string of_it =
      answers.attributed_share > 0 ? ", with " + percent(certified_share) + " of it," : "";
  return text + fmt::format("; {}{} explained bit for bit)", certified, of_it);
}

std::string certificate_text(const Attribution& attribution) {
  if (!attribution.certificate.empty())
    return "b explained bit for bit by " + attribution.certificate;
  if (!attribution.summation.empty()) return "b summed in " + attribution.summation;
  if (!(attribution.nearest_residual < left_by_chance)) return "";
  return fmt::format("nearest emulation {}, which leaves {} of the error's energy",
                     attribution.nearest, percent(attribution.nearest_residual));
}

std::string shares_text(const Attribution& attribution) {
  std::vector<std::string> parts;
  for (const CauseShare& cause : attribution.causes)
    parts.push_back(cause.what + " " + percent_in_tenths(cause.share));
  return join(parts, ", ");
}

bool has_amplification(const StageResult& stage) {
  return stage.amplification != 0 && std::isfinite(stage.amplification);
}

std::string amplification_text(const StageResult& stage, int digits) {
  return has_amplification(stage) ? "×" + brief(stage.amplification, digits) : "–";
}

std::string max_at_end(const BlockResult& block, int digits) {
  return std::isnan(block.max_abs) ? "–" : brief(block.max_abs, digits);
}

std::vector<std::string> growth(const RunRecord& record) {
  std::vector<std::string> parts;
  const std::vector<Milestone>& all = record.answers.milestones;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + 1 < all.size() && all[i + 1].stage == all[i].stage) continue;
    parts.push_back(scientific(all[i].threshold) + " at " + name_of(record, all[i].stage));
  }
  if (all.empty()) return parts;
  const StageResult* stage = find(record, all.back().stage);
  if (!stage || !stage->split) return parts;
  const Split& split = *stage->split;
  // Where an input or a's own values are infinite, so are the norms, and no ratio says anything.
  const bool finite = std::isfinite(split.introduced) && std::isfinite(split.inherited) &&
                      std::isfinite(split.norm_a);
  if (finite && split.norm_a > 0)
    parts.back() += fmt::format(
        " (there, as norms relative to a's: introduced {}, inherited {}{})",
        brief(split.introduced / split.norm_a, 2), brief(split.inherited / split.norm_a, 2),
        has_amplification(*stage) ? "; amplification " + amplification_text(*stage, 2) : "");
  return parts;
}

ToleranceAnswer tolerance(const RunRecord& record) {
  if (!record.tolerance) return {};
  const std::string named = "--tolerance " + scientific(*record.tolerance);
  std::vector<std::string> beyond;
  bool compared = !record.outputs.empty();
  for (const OutputResult& output : record.outputs) {
    compared = compared && output.accumulated;
    if (!output.beyond_tolerance) continue;
    beyond.push_back(output.name +
                     (output.accumulated ? " " + brief(output.accumulated->max_abs) : ""));
  }
  const StageResult* stage = find(record, record.answers.first_beyond_tolerance);
  if (!stage && beyond.empty()) {
    if (!compared)
      return {ToleranceState::unknown, named + " was not checked: not every output was compared"};
    return {ToleranceState::kept, "within " + named};
  }
  std::string text = "beyond " + named;
  if (stage) text += ", first at " + name_of(*stage);
  if (!beyond.empty()) text += "; at the outputs: " + join(beyond, ", ");
  return {ToleranceState::exceeded, text};
}

std::string decision_text(const DecisionResult& decision) {
  const std::string along =
      decision.axis ? fmt::format(" (along axis {} of {})", *decision.axis, decision.shape) : "";
  const std::string about = decision.output + " " + decision.rule + along + ": ";
  if (!decision.not_judged.empty()) return about + "not judged, " + decision.not_judged;
  const std::string of =
      " of " + grouped(decision.decisions) + (decision.decisions == 1 ? " decision" : " decisions");
  const std::string measured = "max |b − a| " + brief(decision.largest_error) + " of this output";
  const std::string bound =
      measured + (decision.largest_bound > 0
                      ? " on this input, and up to " + brief(decision.largest_bound) +
                            " that its stage's arithmetic may add"
                      : " on this input; its stage adds nothing");
  if (decision.flipped == 0 && decision.could_flip == 0)
    return about + "0 flips possible in" + of.substr(3) + "; smallest margin " +
           brief(decision.smallest_margin) + ", bound: " + bound;
  return about + grouped(decision.flipped) + of + " flipped, " + grouped(decision.could_flip) +
         " more could flip within the bound: " + bound;
}

std::vector<std::string> decision_points(const DecisionResult& decision) {
  std::vector<std::string> lines;
  for (const DecisionPoint& point : decision.points) {
    const std::string against = point.other < 0 ? "threshold " + shortest(point.a_other)
                                                : coordinates(point.other, decision.shape) +
                                                      " with a " + brief(point.a_other, 6) +
                                                      ", b " + brief(point.b_other, 6);
    lines.push_back(fmt::format(
        "{} {}: a {}, b {} against {}; margin {}, bound {}",
        point.flipped ? "flipped" : "could flip", coordinates(point.index, decision.shape),
        brief(point.a, 6), brief(point.b, 6), against, brief(point.margin), brief(point.bound)));
  }
  return lines;
}

Remedy remedy(const RunRecord& record) {
  if (record.b.numerics.find("tf32") == std::string::npos) return {};
  if (record.answers.first_different < 0 && record.answers.by_share.empty()) return {};  // no need
  const std::vector<CauseTotal>& causes = record.answers.causes;
  const bool rounds = std::any_of(causes.begin(), causes.end(), [](const CauseTotal& cause) {
    return cause.cause == Cause::operand_rounding;
  });
  // Permission alone is no use of it.
  if (record.b.backend == "capture" && !causes.empty() && !rounds) return {};
  if (record.b.backend == "capture")
    return {"", "switch TF32 off in the runtime that made the capture, and capture again"};
  std::string kept;
  for (std::size_t from = 0; from <= record.b.spec.size();) {
    const std::size_t comma = std::min(record.b.spec.find(',', from), record.b.spec.size());
    std::string clause = record.b.spec.substr(from, comma - from);
    from = comma + 1;
    if (clause.rfind("round=", 0) == 0 || clause.rfind("algorithm=tensor", 0) == 0) continue;
    if (const std::size_t at = clause.find("@sm_"); at != std::string::npos) clause.resize(at);
    if (const std::size_t at = clause.find("tf32"); at != std::string::npos)
      clause.replace(at, 4, "fp32");
    kept += (kept.empty() ? "" : ",") + clause;
  }
  return {"--b " + kept,
          "no operand is rounded to TF32; stages under one contract must then have the same bits"};
}

const StageResult* stage_in_focus(const RunRecord& record) {
  const Answers& answers = record.answers;
  if (const StageResult* stage = find(record, answers.first_diverging)) return stage;
  if (const StageResult* stage = first_with(record, Verdict::untrusted)) return stage;
  if (!answers.by_share.empty())
    if (const StageResult* stage = find(record, answers.by_share.front())) return stage;
  return find(record, answers.worst_share_stage);
}

std::string focus_reason(const RunRecord& record) {
  const StageResult* stage = stage_in_focus(record);
  if (!stage) return "";
  if (stage->id == record.answers.first_diverging) return "the first diverging stage";
  if (stage->verdict == Verdict::untrusted) return "the first untrusted stage";
  if (!record.answers.by_share.empty() && stage->id == record.answers.by_share.front())
    return "the largest share of the final error";
  return "the largest share of its bound";
}

std::string ops_text(const StageResult& stage) {
  std::vector<std::string> parts;
  for (const std::string& op : stage.op_types)
    parts.push_back(op == "BatchNormalization" ? "BN" : op);
  return join(parts, "+");
}

std::string contracts_text(const StageResult& stage) {
  if (stage.contract_a == stage.contract_b) return stage.contract_a;
  const auto named = [](const std::string& contract) { return contract.empty() ? "–" : contract; };
  return named(stage.contract_a) + " | " + named(stage.contract_b);
}

std::string share_of_bound(const StageResult& stage) {
  const std::optional<double> share = largest_share_of_bound(stage);
  return share ? brief(*share, 2) : "–";
}

std::string worst_text(const Comparison& comparison, const std::string& shape) {
  if (!comparison.worst || comparison.differing == 0) return "";
  const ElementPair& worst = *comparison.worst;
  const std::string where =
      fmt::format("at {}: a {} ({}), b {} ({})", coordinates(worst.index, shape), a_value(worst),
                  a_bits(worst), b_value(worst), b_bits(worst));
  // The largest difference is that of another element, which is finite on both sides.
  if (comparison.nan_mismatches + comparison.infinity_mismatches > 0)
    return "NaN or infinite on one side " + where +
           (std::isfinite(comparison.max_abs)
                ? "; of the others at most " + brief(comparison.max_abs)
                : "");
  return brief(comparison.max_abs) + " " + where;
}

std::string noise_text(const SideStatistics& side) {
  std::string text =
      fmt::format("rounding noise {} times what {} predicts", brief(side.z_rms), side.noise);
  const auto limit = [&](double value) {
    return side.judges ? " (alarm above " + brief(value) + ")" : std::string();
  };
  text += limit(side.z_limit);
  if (side.channels > 0)
    text += fmt::format(", slope against the value {} ± {}", brief(side.slope, 2),
                        brief(side.slope_error, 2)) +
            limit(side.slope_limit);
  return text + fmt::format("; {} elements, {} independent{}", grouped(side.elements),
                            grouped(side.effective),
                            side.judges ? "" : ": informs, does not judge");
}

std::string forecast_text(const StageResult& stage) {
  if (!stage.predicted_rms || !stage.accumulated) return "";
  if (!std::isfinite(stage.accumulated->rms) || !std::isfinite(*stage.predicted_rms)) return "";
  return fmt::format("rms of b − a {}; propagation of rounding noise predicts {}",
                     brief(stage.accumulated->rms), brief(*stage.predicted_rms));
}

std::string inherited_text(const InheritedTest& test) {
  for (const double rms : {test.measured, test.exact, test.unexplained})
    if (!std::isfinite(rms))
      return fmt::format("not measured: NaN or infinity among what reached the {} sampled elements",
                         grouped(test.elements));
  return fmt::format(
      "rms {} measured; exact arithmetic on both inputs gives {}, the rest {} is rounding "
      "({} sampled elements)",
      brief(test.measured), brief(test.exact), brief(test.unexplained), grouped(test.elements));
}

std::vector<int> by_importance(const RunRecord& record) {
  const auto rank = [](const StageResult& stage) {
    switch (stage.verdict) {
      case Verdict::diverged:
        return 0;
      case Verdict::untrusted:
        return 1;
      case Verdict::not_run:
        return 2;
      default:
        return 3;
    }
  };
  // A NaN would break the order: it sorts as the smallest.
  const auto number = [](double value) { return std::isnan(value) ? -HUGE_VAL : value; };
  std::vector<const StageResult*> stages;
  for (const StageResult& stage : record.stages) stages.push_back(&stage);
  std::stable_sort(stages.begin(), stages.end(), [&](const StageResult* x, const StageResult* y) {
    const double share_x = number(largest_share_of_bound(*x).value_or(-HUGE_VAL));
    const double share_y = number(largest_share_of_bound(*y).value_or(-HUGE_VAL));
    return std::tuple(rank(*x), -number(x->share_of_final), -share_x) <
           std::tuple(rank(*y), -number(y->share_of_final), -share_y);
  });
  std::vector<int> ids;
  for (const StageResult* stage : stages) ids.push_back(stage->id);
  return ids;
}

}  // namespace parity::reports
