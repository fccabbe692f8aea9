#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compare/record.hpp"

namespace parity::reports {

// What every format says in words, once. All results hold names as the record has them: the sink
// escapes.

/// "same bits", "within bound", "diverged", "untrusted", "not run".
std::string_view words(Verdict verdict);

/// One glyph per verdict, so that colour never stands alone: "=", "✓", "✗", "?", "–".
std::string_view glyph(Verdict verdict);

/// What the whole run comes to; the last two never count as agreement.
enum class Conclusion { identical, explained, diverged, incomplete };

/// The answer to question (1): "diverged" + "first at blocks.1.3 (Conv+BN+Relu), stage 8 of 19: …".
struct Headline {
  Conclusion conclusion = Conclusion::incomplete;
  std::string word;
  std::string detail;
};
Headline headline(const RunRecord& record);

/// A line of further facts under the headline, maybe empty: the deciding test, twins, how many
/// others.
std::string evidence(const RunRecord& record);

/// The answer to question (2): the stages with the largest shares of the final error, largest
/// first, at most `most`; empty when nothing differs.
std::vector<const StageResult*> origins(const RunRecord& record, std::size_t most);
/// An origin as it is called: the stage's name, or "somewhere up to NAME" where the stage itself was
/// not judged and whatever happened since the last known tensor is put down to it.
std::string origin_name(const StageResult& stage);
/// Whether the stages ran on each other's values, so that questions (2) and (3) have answers; an exact
/// probe runs each alone.
bool stages_follow(const RunRecord& record);
/// What a report says in place of these answers.
inline constexpr std::string_view stages_ran_alone =
    "not asked: every stage ran alone, on integers of its own";
/// The sentence after them: the largest introduced error and the first different bits.
std::string origin_facts(const RunRecord& record);

/// How a record's errors are written. l is b's output on a's inputs; a recording cannot be run on other
/// inputs, so there l is a's output on what was recorded.
struct Symbols {
  std::string_view introduced, inherited, fed, whose;
};
Symbols symbols_of(const RunRecord& record);

/// "tf32 operand rounding (rna) 99.6 %, accumulator (tensor:k8f25/rna) 0.3 %, …": the causes of the
/// final error; empty where no stage was attributed.
std::string causes_text(const RunRecord& record);
/// "b explained bit for bit by tensor:k8f25/rna", or the nearest emulation and what it leaves; empty
/// where that is no less than chance leaves.
std::string certificate_text(const Attribution& attribution);
/// The bars of a stage's waterfall in words.
std::string shares_text(const Attribution& attribution);

/// "×1.3"; "–" where nothing was inherited, or so much that no ratio is finite.
std::string amplification_text(const StageResult& stage, int digits = 3);
/// Whether there is one.
bool has_amplification(const StageResult& stage);

/// max |b - a| at the end of a block, "–" where its last stage was not compared.
std::string max_at_end(const BlockResult& block, int digits);

/// What the milestones measure; goes before them.
inline constexpr std::string_view growth_measure =
    "max |b − a| first passes, relative to the RMS of a:";
/// The answer to question (3): "1e-3 at blocks.0.0", in order, stages that pass several at once
/// named once.
std::vector<std::string> growth(const RunRecord& record);

enum class ToleranceState { none, kept, exceeded, unknown };
struct ToleranceAnswer {
  ToleranceState state = ToleranceState::none;
  std::string text;
};
ToleranceAnswer tolerance(const RunRecord& record);

/// "logits argmax (along axis 1 of 1x48): 0 of 1 decision flipped, 1 could flip within the bound: …": one named decision.
std::string decision_text(const DecisionResult& decision);
/// "flipped at [0,3]: a 1.25, b 1.249; …": the places that flipped or are nearest to it.
std::vector<std::string> decision_points(const DecisionResult& decision);

/// What to try when b computes with TF32: "--b cpu:fp32" and what follows; empty otherwise.
struct Remedy {
  std::string option, remark;
};
Remedy remedy(const RunRecord& record);

/// The stage to look at closely: the first diverging, else the first untrusted, else the largest
/// share, else the worst share of a bound; nullptr when nothing differs.
const StageResult* stage_in_focus(const RunRecord& record);
/// Why that one: "the first diverging stage".
std::string focus_reason(const RunRecord& record);

/// The stage with that id, nullptr when there is none (a record may come from a file).
const StageResult* find(const RunRecord& record, int id);
/// Its name, or "stage 12" where it has none.
std::string name_of(const StageResult& stage);
std::string name_of(const RunRecord& record, int id);
/// "r#2 (GRU)": the name with what it computes, for whoever has no table beside it.
std::string titled(const StageResult& stage);

/// "Conv+BN+Relu".
std::string ops_text(const StageResult& stage);
/// "chain | tensor:k8f25/rna", or one string where both are the same.
std::string contracts_text(const StageResult& stage);
/// largest_share_of_bound(), what headline and tables call "of bound": "0.14", "41", "–" where
/// nothing was judged.
std::string share_of_bound(const StageResult& stage);
/// "4.1e-3 at [0,3,17,2]: a 1.25 (0x3fa00000), b 1.249 (0x3f9fdf3b)", empty when the bits are the
/// same.
std::string worst_text(const Comparison& comparison, const std::string& shape);
/// "kernel axes swapped (proved bit for bit)" of a diagnosis.
std::string diagnosis_name(const Diagnosis& diagnosis);
/// "[0,3,0,0] to [0,3,15,15]", empty without a box.
std::string box_text(const Diagnosis& diagnosis);
/// A side's statistical test: "rounding noise 1.02 times what chain predicts (alarm above 1.85), …".
std::string noise_text(const SideStatistics& side);
/// "rms of b − a 1.3e-3; propagation of rounding noise predicts 1.2e-3"; empty without a forecast or
/// where infinities leave none.
std::string forecast_text(const StageResult& stage);
/// How far exact arithmetic explains what a stage inherited: "99.98 % of 1.2e-3 rms, …".
std::string inherited_text(const InheritedTest& test);
/// "3 of 19 stages" and the like: how many stages have each verdict, "17 within bound, 2 same
/// bits".
std::string counts_text(const RunRecord& record);

/// Stage ids ordered by how much they matter: diverged, untrusted, not run, then by share and by
/// bound.
std::vector<int> by_importance(const RunRecord& record);

}  // namespace parity::reports
