#include <algorithm>
#include <set>

#include "compare/run.hpp"
#include "compare/walk.hpp"
#include "model/arithmetic/bounds.hpp"

// What a process holds at its fullest, from shapes, contracts and the order in which run() and
// diff() make and drop values. The rules stand beside each term; the constants of a process are
// estimated from whole runs of sample:second/A.

namespace parity {
namespace {

/// The program, its libraries and allocator before a model is loaded, and what each thread adds.
constexpr std::int64_t process_bytes = std::int64_t{24} << 20, thread_bytes = std::int64_t{1} << 20;

std::int64_t bytes_of(const TensorType& type, bool wide) {
  const std::int64_t width =
      wide && type.type == Type::float32 ? 8 : static_cast<std::int64_t>(byte_width(type.type));
  return element_count(type.shape) * width;
}

std::int64_t weight_bytes(const Graph& graph) {
  std::set<const Tensor*> seen;
  std::int64_t bytes = 0;
  for (const Step& step : graph.steps)
    for (const auto& parameter : step.parameters)
      if (parameter && seen.insert(parameter.get()).second)
        bytes += static_cast<std::int64_t>(parameter->size_bytes());
  return bytes;
}

std::int64_t packed_bytes(const PlannedStage& planned, bool wide) {
  if (planned.stage.macs == 0) return 0;
  const Step& head = planned.stage.steps.front();
  if (head.parameters.empty() || !head.parameters[0]) return 0;
  return static_cast<std::int64_t>(head.parameters[0]->size_bytes()) * (wide ? 2 : 1);
}

bool computes_double(const PlannedStage& planned) {
  return std::any_of(planned.contracts.begin(), planned.contracts.end(),
                     [](const Contract& c) { return in_double(c); });
}

bool has_channels_last(const TensorType& type) {
  return type.shape.size() == 3 || type.shape.size() == 4;
}

/// One side's edges: how wide each value is and where it came from.
struct Edges {
  std::set<TensorId> wide;       ///< held in double
  std::set<TensorId> row_major;  ///< graph inputs: a MAC copies them to channels-last
};

/// Copies that one run of the stage makes beside its outputs: operands in the layout and type that
/// the head wants.
std::int64_t scratch_bytes(const PlannedStage& planned, const Edges& edges) {
  const Stage& stage = planned.stage;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < stage.inputs.size(); ++i) {
    const bool other_layout = stage.macs > 0 && edges.row_major.contains(stage.inputs[i]) &&
                              has_channels_last(stage.input_types[i]);
    const bool other_type = computes_double(planned) && !edges.wide.contains(stage.inputs[i]);
    if (other_layout || other_type)
      bytes += bytes_of(stage.input_types[i], computes_double(planned));
  }
  return bytes;
}

std::int64_t output_bytes(const PlannedStage& planned) {
  std::int64_t bytes = 0;
  for (const TensorType& type : planned.stage.output_types)
    bytes += bytes_of(type, keeps_double(planned));
  return bytes;
}

/// Bytes of the values that are alive before and after each stage of a walk, by LiveValues' rule.
class Alive {
 public:
  Alive(const Graph& graph, const Plan& plan) : readers_(graph.tensors.size(), 0) {
    for (const PlannedStage& planned : plan.stages)
      for (const TensorId id : planned.stage.inputs) ++readers_[index_of(id)];
    for (const TensorId id : graph.outputs) ++readers_[index_of(id)];
  }
  void put(TensorId id, std::int64_t bytes) {
    if (readers_[index_of(id)] > 0) bytes_ += held_[id] = bytes;
  }
  void release(const std::vector<TensorId>& ids) {
    for (const TensorId id : ids)
      if (--readers_[index_of(id)] == 0) {
        bytes_ -= held_[id];
        held_.erase(id);
      }
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::vector<int> readers_;
  std::map<TensorId, std::int64_t> held_;
  std::int64_t bytes_ = 0;
};

/// The tensors given by the caller, which stay with it; uploading them copies nothing.
std::int64_t input_bytes(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const TensorId id : graph.inputs) bytes += bytes_of(graph.tensor(id).type, false);
  return bytes;
}

PredictedMemory empty_process(const Graph& graph, int threads) {
  PredictedMemory memory;
  memory.process = process_bytes + threads * thread_bytes;
  memory.weights = weight_bytes(graph);
  memory.values = input_bytes(graph);
  return memory;
}

/// The backend keeps what was given back up to a quarter of the fullest moment (cpu/memory.hpp).
void raise(PredictedMemory& peak, std::int64_t values, std::int64_t packed, int stage) {
  values += values / 4;
  if (values + packed <= peak.values + peak.packed) return;
  peak.values = values;
  peak.packed = packed;
  peak.stage = stage;
}

}  // namespace

PredictedMemory predicted_peak_bytes(const Graph& graph, const Plan& plan, int threads) {
  PredictedMemory peak = empty_process(graph, threads);
  const std::int64_t given = input_bytes(graph);
  Alive alive(graph, plan);
  Edges edges;
  for (const TensorId id : graph.inputs) {
    alive.put(id, 0);
    edges.row_major.insert(id);
  }
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const PlannedStage& planned = plan.stages[i];
    const std::int64_t made = output_bytes(planned);
    raise(peak, given + alive.bytes() + made + scratch_bytes(planned, edges),
          packed_bytes(planned, computes_double(planned)), static_cast<int>(i));
    alive.release(planned.stage.inputs);
    for (std::size_t j = 0; j < planned.stage.outputs.size(); ++j) {
      const TensorId id = planned.stage.outputs[j];
      if (keeps_double(planned)) edges.wide.insert(id);
      alive.put(id, bytes_of(planned.stage.output_types[j], keeps_double(planned)));
    }
  }
  return peak;
}

PredictedMemory predicted_peak_bytes(const Graph& graph, const Plan& a, const Plan& b,
                                     int threads) {
  PredictedMemory peak = empty_process(graph, threads);
  const std::int64_t given = input_bytes(graph);
  // A's values; the shared input where it is a rounded copy; B's values where they may differ.
  Alive alive_a(graph, a), alive_x(graph, a), alive_b(graph, b);
  Edges edges_a, edges_x, edges_b;
  std::set<TensorId> equal;
  for (const TensorId id : graph.inputs) {
    alive_a.put(id, 0);
    for (Edges* edges : {&edges_a, &edges_x, &edges_b}) edges->row_major.insert(id);
    equal.insert(id);
  }
  for (std::size_t i = 0; i < a.stages.size(); ++i) {
    const PlannedStage &in_a = a.stages[i], &in_b = b.stages[i];
    const Stage& stage = in_a.stage;
    const auto all_in = [&](const std::set<TensorId>& set) {
      return std::all_of(stage.inputs.begin(), stage.inputs.end(),
                         [&](TensorId id) { return set.contains(id); });
    };
    const bool inputs_equal = all_in(equal);
    const bool same_contract = in_a.contract_text() == in_b.contract_text() &&
                               std::min(in_a.promise(), in_b.promise()) >= Determinism::run_to_run;
    const bool rounded = keeps_double(in_a) && !keeps_double(in_b);
    const std::int64_t made_a = output_bytes(in_a), made_b = output_bytes(in_b);
    const std::int64_t packed_a = packed_bytes(in_a, computes_double(in_a));
    const std::int64_t packed_b = same_contract ? 0 : packed_bytes(in_b, computes_double(in_b));
    const int at = static_cast<int>(i);

    const std::int64_t before = given + alive_a.bytes() + alive_x.bytes() + alive_b.bytes();
    raise(peak, before + made_a + scratch_bytes(in_a, edges_a), packed_a, at);
    // a recomputed on the rounded input, when some input was double.
    const bool converted = std::any_of(stage.inputs.begin(), stage.inputs.end(), [&](TensorId id) {
      return edges_a.wide.contains(id) && !edges_x.wide.contains(id);
    });
    const std::int64_t held_a = made_a + (converted ? made_a : 0);
    raise(peak, before + held_a + scratch_bytes(in_a, edges_x), packed_a, at);
    raise(peak, before + held_a + made_b + scratch_bytes(in_b, edges_b), packed_a + packed_b, at);
    alive_b.release(stage.inputs);
    std::int64_t now =
        given + alive_a.bytes() + alive_x.bytes() + alive_b.bytes() + held_a + made_b;
    if (!inputs_equal) {
      now += made_b;
      raise(peak, now + scratch_bytes(in_b, edges_x), packed_a + packed_b, at);
    }
    if (!same_contract) {
      // Magnitudes: |x| of every input and, of a graph input, once more in channels-last; |w|
      // packed.
      std::int64_t magnitudes = 0, operands = 0, referee = 0;
      for (std::size_t k = 0; k < stage.inputs.size(); ++k) {
        const std::int64_t bytes = bytes_of(stage.input_types[k], false);
        const bool copied = stage.macs > 0 && edges_x.row_major.contains(stage.inputs[k]) &&
                            has_channels_last(stage.input_types[k]);
        operands += copied ? 2 * bytes : bytes;
        // A stage without MACs is run whole in double by the oracle.
        referee += stage.macs > 0 ? (copied ? bytes : 0) : 2 * bytes;
      }
      for (const TensorType& type : stage.output_types) magnitudes += bytes_of(type, false);
      if (stage.macs == 0) referee += 2 * magnitudes;
      const std::int64_t packed = packed_a + packed_b + packed_bytes(in_b, false);
      raise(peak, now + magnitudes + std::max(operands, referee), packed, at);
      if (stage.macs > 0) {
        // Attribution, after the walk: B's values are gone; the stage runs in double (inputs in
        // double and once more in channels-last), beside both sides' outputs and two emulators'.
        std::int64_t doubles = 0;
        for (const TensorType& type : stage.input_types) doubles += 2 * bytes_of(type, true);
        for (const TensorType& type : stage.output_types) doubles += 3 * bytes_of(type, true);
        raise(peak, given + alive_a.bytes() + made_a + made_b + doubles, packed, at);
      }
    }
    alive_a.release(stage.inputs);
    alive_x.release(stage.inputs);
    for (std::size_t j = 0; j < stage.outputs.size(); ++j) {
      const TensorId id = stage.outputs[j];
      const TensorType& type = stage.output_types[j];
      const bool stays_equal = inputs_equal && same_contract;
      if (stays_equal) equal.insert(id);
      if (keeps_double(in_a)) edges_a.wide.insert(id);
      if (keeps_double(in_a) && !rounded) edges_x.wide.insert(id);
      if (keeps_double(in_b)) edges_b.wide.insert(id);
      alive_a.put(id, bytes_of(type, keeps_double(in_a)));
      alive_x.put(id, rounded ? bytes_of(type, false) : 0);
      alive_b.put(id, stays_equal ? 0 : bytes_of(type, keeps_double(in_b)));
    }
  }
  return peak;
}

}  // namespace parity
