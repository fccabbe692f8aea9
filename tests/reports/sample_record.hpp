#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "compare/record.hpp"
#include "compare/walk.hpp"

// Records that a differ could have made, with numbers that agree with each other, from a seed. They
// exercise the reports only: nothing here was measured.

namespace parity::samples {

/// SplitMix64: the same numbers everywhere.
class Seeded {
 public:
  explicit Seeded(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }

 private:
  std::uint64_t state_;
};

inline ElementPair element(std::int64_t index, float a, float b) {
  return {index, a, b, std::bit_cast<std::uint32_t>(a), std::bit_cast<std::uint32_t>(b)};
}

inline Digest digest(Seeded& random) { return {{random.bits(), random.bits()}}; }

/// A comparison of `elements` elements whose difference has the given RMS, relative to rms_a.
inline Comparison comparison(Seeded& random, std::int64_t elements, double relative, double rms_a) {
  Comparison c;
  c.elements = elements;
  c.informative = elements - elements / 3;
  c.rms_a = rms_a;
  c.rms_b = rms_a * (1 + relative * random.between(-0.1, 0.1));
  c.cosine = 1 - relative * relative / 2;
  c.ulp_histogram[0] = elements;
  if (relative == 0) {
    c.rms_b = rms_a;
    return c;
  }
  c.rms = relative * rms_a;
  c.mean_abs = 0.72 * c.rms;
  c.max_abs = c.rms * random.between(8, 14);
  c.max_rel = std::min(2.0, 900 * relative);
  // A bell over the bins around the distance that the relative error amounts to.
  const double centre = std::clamp(std::log2(relative * 0x1p24) + 1, 1.0, 30.0);
  std::int64_t left = c.informative;
  for (int bin = 1; bin < static_cast<int>(ulp_bins) - 1; ++bin) {
    const double z = (bin - centre) / 1.9;
    const auto count =
        static_cast<std::int64_t>(0.21 * static_cast<double>(c.informative) * std::exp(-z * z / 2));
    c.ulp_histogram[static_cast<std::size_t>(bin)] = std::min(left, count);
    left -= std::min(left, count);
  }
  c.ulp_histogram[0] = elements - c.informative + left;
  c.differing = elements - c.ulp_histogram[0];
  c.signed_zero_mismatches = 0;
  const auto at = static_cast<std::int64_t>(random.uniform() * static_cast<double>(elements));
  const auto a = static_cast<float>(rms_a * random.between(1, 3));
  c.worst = element(at, a, static_cast<float>(a - c.max_abs));
  c.first =
      element(at / 7, static_cast<float>(rms_a), std::nextafter(static_cast<float>(rms_a), 9e9f));
  return c;
}

/// The hot rows of a sparse scene: a road across the map, strongest where two roads meet.
inline ErrorMap error_map(Seeded& random, std::int64_t height, std::int64_t width,
                          std::int64_t channels, double max_abs) {
  ErrorMap map;
  map.height = height;
  map.width = width;
  map.rows = std::min<std::int64_t>(height, 128);
  map.columns = std::min<std::int64_t>(width, 128);
  map.channels = channels;
  for (std::int64_t row = 0; row < map.rows; ++row)
    for (std::int64_t column = 0; column < map.columns; ++column) {
      const double y = (static_cast<double>(row) + 0.5) / static_cast<double>(map.rows) - 0.5;
      const double x = (static_cast<double>(column) + 0.5) / static_cast<double>(map.columns) - 0.5;
      const double roads =
          std::exp(-60 * (y - 0.3 * x) * (y - 0.3 * x)) + std::exp(-90 * (x + 0.2) * (x + 0.2));
      const double heat = max_abs * 0.5 * roads * random.between(0.55, 1);
      const bool empty = roads < 0.05 && random.uniform() < 0.7;
      map.heat.push_back(empty ? 0.0f : static_cast<float>(heat));
    }
  for (std::int64_t channel = 0; channel < std::min<std::int64_t>(channels, 512); ++channel) {
    const double u = random.uniform();
    map.channel_max.push_back(
        static_cast<float>(u < 0.08 ? 0 : max_abs * (0.08 + 0.92 * u * u * u)));
  }
  return map;
}

/// How a stage of a sample behaves.
struct Behaviour {
  double introduced = 0;  ///< relative RMS; 0: the same bits
  double share = 0;       ///< of the bound
};

struct StageShape {
  std::string block, name;
  int channels = 0, extent = 0;
};

inline std::vector<StageShape> second_stages() {
  std::vector<StageShape> stages;
  const int extras[3] = {3, 5, 5};
  const int channels[3] = {64, 128, 256};
  for (int block = 0; block < 3; ++block)
    for (int layer = 0; layer <= extras[block]; ++layer)
      stages.push_back({fmt::format("blocks.{}", block),
                        fmt::format("blocks.{}.{}", block, 3 * layer), channels[block],
                        256 >> block});
  for (int deblock = 0; deblock < 3; ++deblock)
    stages.push_back({"deblocks", fmt::format("deblocks.{}.0", deblock), 128, 128});
  return stages;
}

/// Fills counts, shares, blocks, milestones and the rest from the stages, as a differ would.
inline void settle(RunRecord& record) {
  Answers& answers = record.answers;
  answers = {};
  record.blocks.clear();
  double total = 0;
  for (const StageResult& stage : record.stages) total += stage.share_of_final;
  double threshold = 1e-6, worst_relative = -1;
  for (StageResult& stage : record.stages) {
    if (total > 0) stage.share_of_final /= total;
    ++answers.counts[static_cast<int>(stage.verdict)];
    if (stage.verdict == Verdict::diverged && answers.first_diverging < 0)
      answers.first_diverging = stage.id;
    if (record.blocks.empty() || record.blocks.back().name != stage.block)
      record.blocks.push_back({stage.block, stage.id, stage.id, 0, 0, 0});
    BlockResult& block = record.blocks.back();
    block.last = stage.id;
    block.share_of_final += stage.share_of_final;
    block.diverged += stage.verdict == Verdict::diverged ? 1 : 0;
    block.max_abs = stage.accumulated ? stage.accumulated->max_abs : 0;
    if (!stage.introduced) continue;
    if (stage.introduced->differing > 0 && answers.first_different < 0)
      answers.first_different = stage.id;
    const double share = largest_share_of_bound(stage).value_or(0);
    if (share > answers.worst_share_of_bound) {
      answers.worst_share_of_bound = share;
      answers.worst_share_stage = stage.id;
    }
    const double relative = stage.introduced->rms / stage.introduced->rms_a;
    if (relative > worst_relative && relative > 0) {
      worst_relative = relative;
      answers.largest_introduced = stage.id;
    }
    for (; std::isfinite(stage.accumulated_relative) && stage.accumulated_relative >= threshold;
         threshold *= 10)
      answers.milestones.push_back({threshold, stage.id});
    if (stage.share_of_final > 0) answers.by_share.push_back(stage.id);
    if (record.tolerance && stage.accumulated->max_abs > *record.tolerance &&
        answers.first_beyond_tolerance < 0)
      answers.first_beyond_tolerance = stage.id;
  }
  std::stable_sort(answers.by_share.begin(), answers.by_share.end(), [&](int x, int y) {
    return record.stages[static_cast<std::size_t>(x)].share_of_final >
           record.stages[static_cast<std::size_t>(y)].share_of_final;
  });
  const bool incomplete = answers.counts[3] + answers.counts[4] > 0;
  const bool found = answers.first_diverging >= 0 || answers.first_beyond_tolerance >= 0;
  record.exit_code = found ? 1 : incomplete ? 4 : 0;
}

inline RunRecord facts(const std::string& model, const std::string& spec_b) {
  RunRecord record;
  record.tool_version = "0.1.0";
  record.tool_commit = "c0ffee0";
  record.command = "paritylab diff " + model + " --a cpu:fp32 --b " + spec_b + " --tolerance 0.01";
  record.model = model;
  record.model_digest = "9b1c4d0e5f60718293a4b5c6d7e8f901";
  record.producer = "pytorch 2.1.0";
  record.opset = 17;
  record.inputs = {
      {"pillars", "float32 1x64x512x512 from pillars:7, digest 3f2a90c41d5be6788a01c2d3e4f50617"}};
  record.a = {"cpu:fp32",
              "cpu",
              "AMD EPYC 9B45, 2 threads, avx512",
              "conv fp32, matmul fp32, batch norm kept",
              "chain",
              "host_to_gpu",
              {{"instruction set", "avx512"}, {"threads", "2"}, {"build", "g++ 12.2.0"}}};
  record.b = record.a;
  record.b.spec = spec_b;
  if (spec_b.find("tf32") != std::string::npos) {
    record.b.numerics = "conv tf32, matmul tf32, round rna, batch norm kept, sm_90";
    record.b.contract = "tensor:k8f25/rna";
  }
  record.started = "2026-01-02T03:04:05Z";
  record.seconds = 3.25;
  record.peak_bytes = 412345678;
  return record;
}

/// One stage behind the other; `behaviour` says what each introduces.
template <class BehaviourOf>
inline void add_stages(RunRecord& record, const std::vector<StageShape>& shapes, Seeded& random,
                       BehaviourOf behaviour) {
  double inherited = 0;
  for (const StageShape& shape : shapes) {
    StageResult stage;
    stage.id = static_cast<int>(record.stages.size());
    const Behaviour b = behaviour(stage.id);
    stage.name = shape.name;
    stage.block = shape.block;
    stage.nodes = {"/" + shape.block + "/" + shape.name + "/Conv",
                   "/" + shape.block + "/" + shape.name + "/BatchNormalization",
                   "/" + shape.block + "/" + shape.name + "/Relu"};
    stage.op_types = {"Conv", "BatchNormalization", "Relu"};
    stage.tensor = stage.nodes.back() + "_output_0";
    stage.shape = fmt::format("1x{0}x{1}x{1}", shape.channels, shape.extent);
    stage.elements = std::int64_t{shape.channels} * shape.extent * shape.extent;
    stage.macs = stage.elements * shape.channels * 9;
    stage.contract_a = record.a.contract;
    stage.contract_b = record.b.contract;
    if (stage.id > 0) stage.producers = {stage.id - 1};
    const double rms_a = random.between(0.4, 1.4);
    // Long chains must not grow without limit.
    const double most = shapes.size() > 100 ? 1.15 : 1.6;
    const double amplification = inherited > 0 ? random.between(0.8, most) : 0;
    const double passed_on = inherited * amplification;
    const double accumulated = std::hypot(passed_on, b.introduced);
    stage.introduced = comparison(random, stage.elements, b.introduced, rms_a);
    stage.accumulated = comparison(random, stage.elements, accumulated, rms_a);
    stage.amplification = amplification;
    stage.accumulated_relative = stage.accumulated->max_abs / rms_a;
    stage.share_of_final = b.introduced * b.introduced;
    stage.digest_a = digest(random);
    stage.digest_b = accumulated > 0 ? digest(random) : stage.digest_a;
    stage.twin_a = TwinTest{};
    stage.twin_b = TwinTest{};
    stage.seconds_a = 0.001 * static_cast<double>(stage.macs) / 1e9;
    stage.seconds_b = 2 * stage.seconds_a;
    stage.seconds_local = stage.seconds_b;
    if (b.introduced == 0 && accumulated == 0) {
      stage.verdict = Verdict::same_bits;
      stage.reason = "the bits are the same on both sides";
    } else {
      const double norm_a = rms_a * std::sqrt(static_cast<double>(stage.elements));
      stage.split = Split{b.introduced * norm_a,
                          passed_on * norm_a,
                          accumulated * norm_a,
                          b.introduced * b.introduced * norm_a * norm_a,
                          passed_on * passed_on * norm_a * norm_a,
                          norm_a};
      Comparison& c = *stage.introduced;
      c.judged = true;
      c.worst_share = b.share;
      c.worst_judged = c.worst;
      c.worst_bound = b.share > 0 ? c.max_abs / b.share : 0;
      c.beyond = b.share > 1 ? 17 : 0;
      stage.bound_coefficient_a = 3.4e-5;
      stage.bound_coefficient_b = 1.1e-3;
      stage.exact_a = OracleTest{4096, false, 0.012, 3.1e-6, 77, 1.2500012, 1.2500009, 0};
      stage.exact_b =
          OracleTest{4096, false, b.share, c.max_abs, 1234, 1.249, 1.2500009, b.share > 1 ? 3 : 0};
      stage.predicted_rms = stage.accumulated ? stage.accumulated->rms * 0.96 : 0;
      stage.statistics = Statistics{
          SideStatistics{"chain", 2061, 64, 1.012, 2.13, 64, 1.1e-9, 4.4e-9, 3.4e-8, true},
          SideStatistics{"tensor:k8f25/rna", 2061, 64, b.share > 1 ? 7.5 : 0.981, 2.13, 64, 2.2e-6,
                         1.3e-5, 1.02e-4, true},
          InheritedTest{512, passed_on * rms_a, passed_on * rms_a * 0.999,
                        passed_on * rms_a * 1e-3}};
      stage.verdict = b.share > 1 ? Verdict::diverged : Verdict::within_bound;
      stage.reason =
          b.share > 1
              ? fmt::format("b is {:.1f} times its bound away from the exact result", b.share)
              : "both sides and their difference lie within the derived bounds";
      stage.blame = b.share > 1 ? Blame::b : Blame::nobody;
    }
    inherited = accumulated;
    record.stages.push_back(std::move(stage));
  }
}

/// The causes of a stage whose rounding of operands makes all but little of the error.
inline void add_attribution(RunRecord& record, int id, double rounding) {
  StageResult& stage = record.stages[static_cast<std::size_t>(id)];
  const bool certified = stage.verdict != Verdict::diverged;
  const double rest = certified ? 0 : 0.001;
  stage.attribution =
      Attribution{{{Cause::operand_rounding, "tf32 operand rounding (rna)", rounding},
                   {Cause::accumulator, "accumulator (tensor:k8f25/rna)", 1 - rest - rounding}},
                  certified ? "tensor:k8f25/rna" : "",
                  "",
                  "tensor:k8f25/rna",
                  rest,
                  certified ? 2 : 9};
  if (!certified) stage.attribution->causes.push_back({Cause::rest, "not explained", rest});
}

inline void add_map(RunRecord& record, int id, Seeded& random) {
  StageResult& stage = record.stages[static_cast<std::size_t>(id)];
  const std::int64_t channels = stage.elements > 0 ? 64 << (id / 6 % 8) : 1;
  stage.map = error_map(random, 256 >> (id / 6 % 8), 256 >> (id / 6 % 8),
                        std::min<std::int64_t>(channels, 512),
                        stage.introduced ? stage.introduced->max_abs : 0);
}

inline void add_outputs(RunRecord& record) {
  const StageResult& last = record.stages.back();
  record.outputs = {
      {"spatial_features_2d", last.shape, last.id, last.accumulated,
       record.tolerance && last.accumulated && last.accumulated->max_abs > *record.tolerance}};
}

/// A clean TF32 prediction over the SECOND backbone: every stage within its bound, the tolerance
/// exceeded.
inline RunRecord clean_tf32() {
  Seeded random(7);
  RunRecord record = facts("sample:second/A", "cpu:tf32@sm_90");
  record.tolerance = 0.01;
  add_stages(record, second_stages(), random, [&](int id) {
    const double introduced = 2.1e-4 * (1 + 0.9 * std::sin(1.7 * id)) * random.between(0.8, 1.25);
    return Behaviour{introduced, random.between(0.04, 0.14)};
  });
  settle(record);
  for (int i = 0; i < 3; ++i)
    add_map(record, record.answers.by_share[static_cast<std::size_t>(i)], random);
  for (int i = 0; i < 3; ++i)
    add_attribution(record, record.answers.by_share[static_cast<std::size_t>(i)], 0.996 - 0.04 * i);
  add_causes(record);
  add_outputs(record);
  record.decisions = {{"spatial_features_2d",
                       "argmax:1",
                       record.outputs[0].shape,
                       1,
                       65536,
                       1,
                       2,
                       1.5e-5,
                       0.0118,
                       3.1e-4,
                       2.4e-3,
                       {{70000, 135536, 1.5, 1.4995, 1.49951, 1.49962, 4.9e-4, 0.0284, true},
                        {9, 65545, 0.25, 0.25, 0.249985, 0.249985, 1.5e-5, 0.0284, false},
                        {10, 65546, 0.25, 0.25, 0.2499, 0.2499, 1e-4, 0.0284, false}},
                       ""},
                      {"spatial_features_2d",
                       "threshold:-1",
                       record.outputs[0].shape,
                       std::nullopt,
                       8388608,
                       0,
                       0,
                       1,
                       0.0118,
                       3.1e-4,
                       2.4e-3,
                       {},
                       ""}};
  record.exit_code = 1;
  record.notes = {"the first dimension of input 'pillars' was unnamed and became 1"};
  return record;
}

/// The same bits everywhere.
inline RunRecord identical() {
  Seeded random(8);
  RunRecord record = facts("second.onnx", "cuda:fp32");
  record.b.backend = "cuda";
  record.b.device = "NVIDIA H200, sm_90";
  record.b.facts = {{"driver", "580.65.06"}, {"toolkit", "13.0"}, {"SM count", "132"}};
  add_stages(record, second_stages(), random, [](int) { return Behaviour{}; });
  settle(record);
  add_outputs(record);
  return record;
}

/// A fault in one stage of b, same contracts before it.
inline RunRecord diverged() {
  Seeded random(9);
  RunRecord record = facts("second.onnx", "cuda:fp32");
  record.b.backend = "cuda";
  record.b.device = "NVIDIA H200, sm_90";
  record.b.contract = "gemm:cublas";
  record.b.promise = "run_to_run";
  add_stages(record, second_stages(), random, [&](int id) {
    if (id == 7) return Behaviour{3.3e-2, 41.3};
    return Behaviour{id < 2 ? 0 : 4e-7 * random.between(0.5, 2),
                     id < 2 ? 0 : random.between(0.01, 0.04)};
  });
  settle(record);
  StageResult& wrong = record.stages[7];
  wrong.runs = 3;
  wrong.diagnoses = {
      {"kernel_axes_swapped",
       Proof::bits,
       1,
       "computed so that the kernel is read with its rows and columns exchanged, the stage gives b "
       "bit for bit",
       {0, 3, 0, 0},
       {0, 3, 15, 15}},
      {"border_garbage",
       Proof::pattern,
       0.625,
       "41 of 64 elements differ in the first <column>",
       {0, 1, 2, 0},
       {0, 1, 2, 0}}};
  for (int i = 0; i < 3; ++i)
    add_map(record, record.answers.by_share[static_cast<std::size_t>(i)], random);
  add_attribution(record, record.answers.first_diverging, 1.02);
  add_causes(record);
  add_outputs(record);
  record.lints = {
      "BatchNormalization '/blocks.1/blocks.1.9/BatchNormalization' has variances below its "
      "epsilon"};
  return record;
}

/// A capture that ends early: weights with NaN leave nothing finite, and the last stages have no
/// tensor.
inline RunRecord untrusted() {
  Seeded random(10);
  RunRecord record = facts("second.onnx", "capture:onnxruntime.npz");
  record.b = {"capture:onnxruntime.npz", "capture", "", "fp32 demanded of every stage", "",
              "not_guaranteed",          {}};
  add_stages(record, second_stages(), random, [&](int) {
    return Behaviour{3e-7 * random.between(0.5, 2), random.between(0.01, 0.06)};
  });
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  StageResult& empty = record.stages[10];
  empty.verdict = Verdict::untrusted;
  empty.reason = "no element is finite and not zero on both sides";
  empty.introduced->informative = 0;
  empty.introduced->judged = false;
  empty.introduced->nan_mismatches = 12;
  empty.introduced->infinity_mismatches = 3;
  empty.introduced->max_abs = infinity;
  empty.introduced->rms = empty.introduced->rms_a = empty.introduced->cosine = nan;
  empty.introduced->worst = ElementPair{5, nan, infinity, 0x7fffffff, 0x7f800000};
  empty.introduced->ulp_histogram[ulp_bins - 1] = 4096;
  empty.accumulated_relative = infinity;
  empty.amplification = nan;
  for (std::size_t i = 15; i < record.stages.size(); ++i) {
    StageResult& stage = record.stages[i];
    StageResult missing;
    missing.id = stage.id, missing.name = stage.name, missing.block = stage.block;
    missing.nodes = stage.nodes, missing.op_types = stage.op_types, missing.tensor = stage.tensor;
    missing.shape = stage.shape, missing.elements = stage.elements, missing.macs = stage.macs;
    missing.contract_a = stage.contract_a;
    missing.reason = "the capture has no tensor '" + stage.tensor + "'";
    stage = missing;
  }
  settle(record);
  record.outputs = {{"spatial_features_2d", record.stages.back().shape, 18, std::nullopt, false}};
  return record;
}

/// One stage, and nothing to say about it.
inline RunRecord single() {
  Seeded random(11);
  RunRecord record = facts("relu.onnx", "cpu:fp32");
  add_stages(record, {{"", "Relu@y", 3, 4}}, random, [](int) { return Behaviour{}; });
  record.stages[0].op_types = {"Relu"};
  settle(record);
  add_outputs(record);
  return record;
}

/// Names that try to leave the place where they are printed.
inline std::vector<std::string> hostile_names() {
  return {"</script><script>alert(1)</script>",
          "\"><img src=x onerror=alert(1)>",
          "'+alert(1)+'",
          "]]>&lt;x&amp;",
          "a|b`c*d_e[f](http://example.org)",
          "@someone #12 www.example.org",
          "\x1b[31mred\x1b[0m\x07",
          "new\nline\ttab\r",
          std::string("nul\0byte", 8),
          "bad utf8 \xff\xfe\xc0\xaf \xed\xa0\x80",
          "\u202egnp.exe\u2066",
          "<!-- --><svg/onload=alert(1)>",
          "={1+1}&cmd|' /C calc'!A0",
          "${jndi:ldap://x}{{7*7}}",
          "\u5c42\u0031/\u6ce8\u610f\u529b/\U0001f600",
          std::string(300, 'x') + "/a/very/long/name/that/ends/here",
          "--option",
          "",
          "javascript:alert(1)",
          "&#60;b&#62;&copy"};
}

/// Three hundred stages with hostile names, all verdicts, values that are not finite, four full
/// maps.
inline RunRecord large() {
  Seeded random(12);
  RunRecord record = facts("<b>model</b>.onnx", "cpu:tf32@sm_90");
  record.tolerance = 0.05;
  std::vector<StageShape> shapes;
  const std::vector<std::string> names = hostile_names();
  for (int i = 0; i < 300; ++i) {
    const std::string& hostile = names[static_cast<std::size_t>(i) % names.size()];
    const bool plain = i % 3 != 0;
    shapes.push_back(
        {fmt::format("backbone.{}", i / 40),
         plain ? fmt::format("backbone.{}.layers.{}.conv", i / 40, i) : hostile + std::to_string(i),
         64, 128});
  }
  add_stages(record, shapes, random, [&](int id) {
    if (id % 5 == 0) return Behaviour{0, 0};
    return Behaviour{1e-5 * random.between(0.1, 4), id == 222 ? 3.5 : random.between(0.001, 0.2)};
  });
  constexpr double infinity = std::numeric_limits<double>::infinity();
  record.stages[230].introduced->worst_share = infinity;
  record.stages[230].verdict = Verdict::diverged;
  record.stages[240].verdict = Verdict::untrusted;
  record.stages[240].accumulated_relative = std::numeric_limits<double>::quiet_NaN();
  record.stages[250].verdict = Verdict::not_run;
  record.stages[250].introduced.reset();
  record.stages[250].accumulated.reset();
  settle(record);
  record.notes = names;
  record.lints = {names[0], names[1]};
  record.inputs.assign(1, {names[0], names[1]});
  record.b.device = names[2];
  record.b.facts = {{names[3], names[4]}};
  add_map(record, 222, random);
  for (int i = 0; i < 3; ++i) {
    StageResult& stage =
        record
            .stages[static_cast<std::size_t>(record.answers.by_share[static_cast<std::size_t>(i)])];
    stage.map = error_map(random, 512, 512, 4096, stage.introduced->max_abs);
  }
  add_outputs(record);
  return record;
}

}  // namespace parity::samples
