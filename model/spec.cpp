#include "model/spec.hpp"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "model/error.hpp"
#include "model/nearest.hpp"

namespace parity {
namespace {

const std::vector<std::string> backends = {"cpu", "cuda", "capture"};
const std::vector<std::string> maths = {"fp32", "tf32", "fp64", "exact"};
const std::vector<std::string> family_maths = {"fp32", "tf32"};
const std::vector<std::string> clauses = {"conv",    "matmul",    "rnn",     "round",  "algorithm",
                                          "fold_bn", "functions", "promise", "device", "plan"};
const std::vector<std::string> roundings = {"rna", "truncate", "rn"};
const std::vector<std::string> switches = {"on", "off"};
const std::vector<std::string> function_sources = {"paritylab", "correct"};
const std::vector<std::string> promises = {"not_guaranteed", "run_to_run", "gpu_to_gpu",
                                           "host_to_gpu"};
/// Algorithms of a multiply-accumulate, the only ones that can be asked for by name.
const std::vector<std::string> algorithms = {"chain",        "chunk256",   "tensor:k4f24",
                                             "tensor:k8f25", "gemm:eigen", "gemm:cublas"};

/// Everything a parse carries along for its messages.
struct Parse {
  std::string text;

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Fault::bad_request, "the spec '" + text + "' cannot be read: " + why);
  }
  [[noreturn]] void unknown(const std::string& what, std::string_view value,
                            const std::vector<std::string>& known) const {
    std::string hint = did_you_mean(value, known);
    if (hint.empty()) hint = ".";
    refuse("'" + std::string(value) + "' is no " + what + "; there is " +
           fmt::format("{}", fmt::join(known, ", ")) + hint);
  }
};

struct Clause {
  std::string_view key, value;
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Math family_math(const Parse& parse, const Clause& clause) {
  const std::optional<Math> math = math_named(clause.value);
  if (!math || (*math != Math::fp32 && *math != Math::tf32))
    parse.unknown("math for the clause '" + std::string(clause.key) + "'", clause.value,
                  family_maths);
  return *math;
}

int device_number(const Parse& parse, std::string_view value) {
  int number = -1;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (fault != std::errc() || end != value.data() + value.size() || number < 0)
    parse.refuse(
        "device=" + std::string(value) +
        " is no device number; write 0 for the first, as `paritylab devices` counts them.");
  return number;
}

bool any_tf32(const Numerics& numerics) {
  return numerics.conv == Math::tf32 || numerics.matmul == Math::tf32 || numerics.rnn == Math::tf32;
}

/// A TF32 request needs a generation, and nothing else may have one.
void settle_arch(const Parse& parse, const Spec& spec) {
  const Numerics& numerics = spec.numerics;
  const bool tf32 = any_tf32(numerics);
  if (tf32 && numerics.arch != Arch::none && !tensor_algorithm(numerics.arch))
    parse.refuse(std::string(name(numerics.arch)) + " has no TF32 tensor core; name one of " +
                 tensor_core_archs() + ".");
  if (tf32 && numerics.arch == Arch::none && spec.backend == "cpu")
    parse.refuse(
        "the CPU has no tensor core of its own, so TF32 must name the generation to model, "
        "as in cpu:tf32@sm_90; the archs are " +
        tensor_core_archs() + ".");
  if (!tf32 && numerics.arch != Arch::none)
    parse.refuse("it names the arch " + std::string(name(numerics.arch)) +
                 " but asks for TF32 nowhere; drop the arch, or write tf32@" +
                 std::string(name(numerics.arch)) + ".");
}

void apply(const Parse& parse, const Clause& clause, Spec& spec) {
  Numerics& numerics = spec.numerics;
  if (clause.key == "conv") {
    numerics.conv = family_math(parse, clause);
  } else if (clause.key == "matmul") {
    numerics.matmul = family_math(parse, clause);
  } else if (clause.key == "rnn") {
    numerics.rnn = family_math(parse, clause);
  } else if (clause.key == "round") {
    const std::optional<Rounding> rounding = rounding_named(clause.value);
    if (!rounding) parse.unknown("operand rounding", clause.value, roundings);
    numerics.rounding = *rounding;
  } else if (clause.key == "algorithm") {
    const std::optional<Algorithm> algorithm = algorithm_named(clause.value);
    bool askable = false;
    for (const std::string& known : algorithms) askable = askable || known == clause.value;
    if (!algorithm || !askable)
      parse.unknown("multiply-accumulate algorithm", clause.value, algorithms);
    numerics.algorithm = *algorithm;
  } else if (clause.key == "fold_bn") {
    if (clause.value != "on" && clause.value != "off")
      parse.unknown("value of fold_bn", clause.value, switches);
    numerics.batch_norm =
        clause.value == "on" ? BatchNormalisation::folded : BatchNormalisation::kept;
  } else if (clause.key == "functions") {
    const std::optional<Functions> functions = functions_named(clause.value);
    if (!functions) parse.unknown("source of elementary functions", clause.value, function_sources);
    numerics.functions = *functions;
  } else if (clause.key == "promise") {
    const std::optional<Determinism> promise = determinism_named(clause.value);
    if (!promise) parse.unknown("promise", clause.value, promises);
    numerics.promise = *promise;
  } else if (clause.key == "device") {
    spec.device = device_number(parse, clause.value);
  } else if (clause.key == "plan") {
    if (clause.value.empty()) parse.refuse("plan= needs a file, as --save-plan-a writes one.");
    spec.plan_file = std::string(clause.value);
  } else {
    parse.unknown("clause", clause.key, clauses);
  }
}

/// capture:FILE[,math=fp32|tf32]. A file name may hold commas, so only a last clause is one.
Spec parse_capture(const Parse& parse, std::string_view rest) {
  Spec spec;
  spec.text = parse.text;
  spec.backend = "capture";
  constexpr std::string_view key = ",math=";
  const std::size_t at = rest.rfind(key);
  if (at != std::string_view::npos) {
    const Clause clause{"math", rest.substr(at + key.size())};
    const Math math = family_math(parse, clause);
    spec.numerics.conv = spec.numerics.matmul = spec.numerics.rnn = math;
    rest = rest.substr(0, at);
  }
  if (rest.empty())
    parse.refuse("a capture needs a file of tensors by ONNX or stage name, as in capture:b.npz.");
  spec.file = std::string(rest);
  return spec;
}

}  // namespace

Spec parse_spec(std::string_view text) {
  const Parse parse{std::string(text)};
  const std::size_t colon = text.find(':');
  const std::string_view backend = text.substr(0, colon);
  bool known = false;
  for (const std::string& each : backends) known = known || each == backend;
  if (!known) parse.unknown("backend", backend, backends);
  if (colon == std::string_view::npos)
    parse.refuse(backend == "capture" ? "a capture needs a file, as in capture:b.npz."
                                      : "it names no math; write " + std::string(backend) +
                                            ":MATH with MATH one of " +
                                            fmt::format("{}", fmt::join(maths, ", ")) + ".");
  const std::string_view rest = text.substr(colon + 1);
  if (backend == "capture") return parse_capture(parse, rest);

  Spec spec;
  spec.text = parse.text;
  spec.backend = std::string(backend);
  const std::vector<std::string_view> parts = split(rest, ',');
  const std::size_t at = parts[0].find('@');
  const std::string_view math_text = parts[0].substr(0, at);
  const std::optional<Math> math = math_named(math_text);
  if (!math) parse.unknown("math", math_text, maths);
  spec.numerics.conv = spec.numerics.matmul = spec.numerics.rnn = *math;
  const bool in_double = *math == Math::fp64 || *math == Math::exact;
  // Double throughout takes libm's functions, so it can repeat but not promise the bits of another
  // machine.
  if (in_double) spec.numerics.promise = Determinism::run_to_run;

  if (at != std::string_view::npos) {
    const std::string_view arch_text = parts[0].substr(at + 1);
    const std::optional<Arch> arch = arch_named(arch_text);
    if (!arch || *arch == Arch::none)
      parse.refuse("'" + std::string(arch_text) + "' is no arch; the archs are " +
                   tensor_core_archs() + ".");
    spec.numerics.arch = *arch;
  }

  std::vector<std::string_view> seen;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    const Clause clause{parts[i].substr(0, equals), equals == std::string_view::npos
                                                        ? std::string_view()
                                                        : parts[i].substr(equals + 1)};
    bool is_clause = false;
    for (const std::string& each : clauses) is_clause = is_clause || each == clause.key;
    if (!is_clause) parse.unknown("clause", clause.key, clauses);
    if (equals == std::string_view::npos)
      parse.refuse("the clause '" + std::string(clause.key) + "' has no value; write " +
                   std::string(clause.key) + "=VALUE.");
    for (const std::string_view each : seen)
      if (each == clause.key)
        parse.refuse("the clause '" + std::string(clause.key) + "' is given twice; keep one.");
    seen.push_back(clause.key);
    if (in_double &&
        (clause.key == "conv" || clause.key == "matmul" || clause.key == "rnn" ||
         clause.key == "round" || clause.key == "algorithm" || clause.key == "functions"))
      parse.refuse(std::string(name(*math)) + " has one way to compute and takes no '" +
                   std::string(clause.key) + "'; drop it, or start from fp32.");
    apply(parse, clause, spec);
  }
  settle_arch(parse, spec);
  return spec;
}

}  // namespace parity
