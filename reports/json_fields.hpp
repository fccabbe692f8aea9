#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include "compare/record.hpp"

namespace parity::reports {

/// S is T, const or not: one list of fields serves the writer and the reader.
template <class S, class T>
concept Like = std::same_as<std::remove_const_t<S>, T>;

// The fields of each struct of a record, in the order of the document. Writer and reader both walk
// these lists, so that neither can know a field the other does not. An archive is called with a key
// and a member; `S` is the struct, const when writing. Times are not here: they are the document's
// object "times".

/// What the reader makes of a key that is not there.
enum class Absent {
  refused,
  keeps_default  ///< a field younger than the schema's number: older documents lack it
};

template <class Archive, Like<ElementPair> S>
void fields(Archive& field, S& s) {
  field("index", s.index);
  field("a", s.a);
  field("a_bits", s.a_bits);
  field("b", s.b);
  field("b_bits", s.b_bits);
}

template <class Archive, Like<Comparison> S>
void fields(Archive& field, S& s) {
  field("elements", s.elements);
  field("informative", s.informative);
  field("differing", s.differing);
  field("nan_mismatches", s.nan_mismatches);
  field("infinity_mismatches", s.infinity_mismatches);
  field("signed_zero_mismatches", s.signed_zero_mismatches);
  field("max_abs", s.max_abs);
  field("mean_abs", s.mean_abs);
  field("max_rel", s.max_rel);
  field("rms", s.rms);
  field("rms_a", s.rms_a);
  field("rms_b", s.rms_b);
  field("cosine", s.cosine);
  field("first", s.first);
  field("worst", s.worst);
  field("ulp_histogram", s.ulp_histogram);
  field("judged", s.judged);
  field("worst_share", s.worst_share);
  field("beyond", s.beyond);
  field("uninformative_bounds", s.uninformative_bounds);
  field("worst_judged", s.worst_judged);
  field("worst_bound", s.worst_bound);
}

template <class Archive, Like<Split> S>
void fields(Archive& field, S& s) {
  field("introduced", s.introduced);
  field("inherited", s.inherited);
  field("accumulated", s.accumulated);
  field("introduced_on_accumulated", s.introduced_on_accumulated);
  field("inherited_on_accumulated", s.inherited_on_accumulated);
  field("norm_a", s.norm_a);
}

template <class Archive, Like<ErrorMap> S>
void fields(Archive& field, S& s) {
  field("rows", s.rows);
  field("columns", s.columns);
  field("height", s.height);
  field("width", s.width);
  field("heat", s.heat);
  field("channels", s.channels);
  field("channel_max", s.channel_max);
}

template <class Archive, Like<OracleTest> S>
void fields(Archive& field, S& s) {
  field("elements", s.elements);
  field("all", s.all);
  field("worst_share", s.worst_share);
  field("max_abs", s.max_abs);
  field("worst_index", s.worst_index);
  field("worst_value", s.worst_value);
  field("worst_exact", s.worst_exact);
  field("beyond", s.beyond);
}

template <class Archive, Like<TwinTest> S>
void fields(Archive& field, S& s) {
  field("differing", s.differing);
  field("first", s.first);
}

template <class Archive, Like<Diagnosis> S>
void fields(Archive& field, S& s) {
  field("label", s.label);
  field("proof", s.proof);
  field("confidence", s.confidence);
  field("evidence", s.evidence);
  field("box_first", s.box_first);
  field("box_last", s.box_last);
}

template <class Archive, Like<SideStatistics> S>
void fields(Archive& field, S& s) {
  field("noise", s.noise);
  field("elements", s.elements);
  field("effective", s.effective);
  field("z_rms", s.z_rms);
  field("z_limit", s.z_limit);
  field("channels", s.channels);
  field("slope", s.slope);
  field("slope_error", s.slope_error);
  field("slope_limit", s.slope_limit);
  field("judges", s.judges);
}

template <class Archive, Like<InheritedTest> S>
void fields(Archive& field, S& s) {
  field("elements", s.elements);
  field("measured", s.measured);
  field("exact", s.exact);
  field("unexplained", s.unexplained);
}

template <class Archive, Like<Statistics> S>
void fields(Archive& field, S& s) {
  field("a", s.a);
  field("b", s.b);
  field("inherited", s.inherited);
}

template <class Archive, class S>
requires Like<S, CauseShare> || Like<S, CauseTotal>
void fields(Archive& field, S& s) {
  field("cause", s.cause);
  field("what", s.what);
  field("share", s.share);
}

template <class Archive, Like<Attribution> S>
void fields(Archive& field, S& s) {
  field("causes", s.causes);
  field("certificate", s.certificate);
  field("summation", s.summation);
  field("nearest", s.nearest);
  field("nearest_residual", s.nearest_residual);
  field("runs", s.runs);
}

template <class Archive, Like<StageResult> S>
void fields(Archive& field, S& s) {
  field("id", s.id);
  field("name", s.name);
  field("block", s.block);
  field("nodes", s.nodes);
  field("op_types", s.op_types);
  field("tensor", s.tensor);
  field("shape", s.shape);
  field("elements", s.elements);
  field("macs", s.macs);
  field("contract_a", s.contract_a);
  field("contract_b", s.contract_b);
  field("producers", s.producers);
  field("verdict", s.verdict);
  field("reason", s.reason);
  field("blame", s.blame);
  field("introduced", s.introduced);
  field("accumulated", s.accumulated);
  field("split", s.split);
  field("exact_a", s.exact_a);
  field("exact_b", s.exact_b);
  field("twin_a", s.twin_a);
  field("twin_b", s.twin_b);
  field("predicted_rms", s.predicted_rms);
  field("statistics", s.statistics);
  field("attribution", s.attribution);
  field("bound_coefficient_a", s.bound_coefficient_a);
  field("bound_coefficient_b", s.bound_coefficient_b);
  field("amplification", s.amplification);
  field("share_of_final", s.share_of_final);
  field("conversion", s.conversion);
  field("accumulated_relative", s.accumulated_relative);
  field("digest_a", s.digest_a);
  field("digest_b", s.digest_b);
  field("runs", s.runs);
  field("distinct_a", s.distinct_a);
  field("distinct_b", s.distinct_b);
  field("diagnoses", s.diagnoses);
  field("map", s.map);
}

template <class Archive, Like<BlockResult> S>
void fields(Archive& field, S& s) {
  field("name", s.name);
  field("first", s.first);
  field("last", s.last);
  field("share_of_final", s.share_of_final);
  field("max_abs", s.max_abs);
  field("diverged", s.diverged);
}

template <class Archive, Like<OutputResult> S>
void fields(Archive& field, S& s) {
  field("name", s.name);
  field("shape", s.shape);
  field("stage", s.stage);
  field("accumulated", s.accumulated);
  field("beyond_tolerance", s.beyond_tolerance);
}

template <class Archive, Like<DecisionPoint> S>
void fields(Archive& field, S& s) {
  field("index", s.index);
  field("other", s.other);
  field("a", s.a);
  field("b", s.b);
  field("a_other", s.a_other);
  field("b_other", s.b_other);
  field("margin", s.margin);
  field("bound", s.bound);
  field("flipped", s.flipped);
}

template <class Archive, Like<DecisionResult> S>
void fields(Archive& field, S& s) {
  field("output", s.output);
  field("rule", s.rule);
  field("shape", s.shape);
  field("axis", s.axis, Absent::keeps_default);
  field("decisions", s.decisions);
  field("flipped", s.flipped);
  field("could_flip", s.could_flip);
  field("smallest_margin", s.smallest_margin);
  field("largest_error", s.largest_error);
  field("bound_coefficient", s.bound_coefficient);
  field("largest_bound", s.largest_bound);
  field("points", s.points);
  field("not_judged", s.not_judged);
}

template <class Archive, Like<SideRecord> S>
void fields(Archive& field, S& s) {
  field("spec", s.spec);
  field("backend", s.backend);
  field("device", s.device);
  field("numerics", s.numerics);
  field("contract", s.contract);
  field("promise", s.promise);
  field("facts", s.facts);
}

template <class Archive, Like<Milestone> S>
void fields(Archive& field, S& s) {
  field("threshold", s.threshold);
  field("stage", s.stage);
}

template <class Archive, Like<Answers> S>
void fields(Archive& field, S& s) {
  field("first_diverging", s.first_diverging);
  field("by_share", s.by_share);
  field("largest_introduced", s.largest_introduced);
  field("first_different", s.first_different);
  field("worst_share_of_bound", s.worst_share_of_bound);
  field("worst_share_stage", s.worst_share_stage);
  field("causes", s.causes);
  field("attributed_share", s.attributed_share);
  field("milestones", s.milestones);
  field("first_beyond_tolerance", s.first_beyond_tolerance);
  field("counts", s.counts);
}

template <class Archive, Like<RunRecord> S>
void fields(Archive& field, S& s) {
  field("schema", s.schema);
  field("tool_version", s.tool_version);
  field("tool_commit", s.tool_commit);
  field("command", s.command);
  field("model", s.model);
  field("model_digest", s.model_digest);
  field("producer", s.producer);
  field("opset", s.opset);
  field("inputs", s.inputs);
  field("notes", s.notes);
  field("lints", s.lints);
  field("a", s.a);
  field("b", s.b);
  field("answers", s.answers);
  field("tolerance", s.tolerance);
  field("exit_code", s.exit_code);
  field("blocks", s.blocks);
  field("outputs", s.outputs);
  field("decisions", s.decisions);
  field("stages", s.stages);
}

/// The durations of one stage, a row of "times".
struct StageTimes {
  int id = 0;
  double seconds_a = 0, seconds_b = 0, seconds_local = 0, seconds_magnitude = 0;
};

/// Everything that may differ between equal runs.
struct Times {
  std::string started;
  double seconds = 0;
  std::int64_t peak_bytes = 0;
  std::vector<StageTimes> stages;
};

template <class Archive, Like<StageTimes> S>
void fields(Archive& field, S& s) {
  field("id", s.id);
  field("seconds_a", s.seconds_a);
  field("seconds_b", s.seconds_b);
  field("seconds_local", s.seconds_local);
  field("seconds_magnitude", s.seconds_magnitude);
}

template <class Archive, Like<Times> S>
void fields(Archive& field, S& s) {
  field("started", s.started);
  field("seconds", s.seconds);
  field("peak_bytes", s.peak_bytes);
  field("stages", s.stages);
}

}  // namespace parity::reports
