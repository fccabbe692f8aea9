#include "cli/backends.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "cpu/backend.hpp"
#include "tests/model/accepting.hpp"
#include "tests/model/small_graph.hpp"

namespace parity::cli {
namespace {

/// A variable of this process, as it was again when the test is over.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* const old = std::getenv(name)) old_ = old;
    ::setenv(name, value, 1);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Backends, NoPlanIsMadeThatTheEnvironmentContradicts) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 8, 5, 5}});
  builder.add_output(add_conv(builder, x, 8, "/b/Conv", "y", 1));
  const Graph graph = builder.finish();
  const std::vector<Stage> stages = cut(graph);
  cpu::CpuBackend cpu;
  const Accepting accepting(cpu);
  const Spec library = parse_spec("cuda:fp32,algorithm=gemm:cublas,promise=run_to_run"),
             own = parse_spec("cuda:fp32");
  (void)plan_for(library, graph, stages, accepting);
  const Variable tf32_on("NVIDIA_TF32_OVERRIDE", "1");
  (void)plan_for(own, graph, stages, accepting);
  // A device that shows the effect refuses as well (here the processor, which has no such library): the
  // cause is told, not the symptom.
  for (const Backend* backend :
       {static_cast<const Backend*>(&accepting), static_cast<const Backend*>(&cpu)})
    try {
      (void)plan_for(library, graph, stages, *backend);
      FAIL() << "cuBLAS would have computed in TF32 under a plan for FP32";
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::device);
      EXPECT_NE(std::string(error.what()).find("NVIDIA_TF32_OVERRIDE=1"), std::string::npos)
          << error.what();
    }
}

}  // namespace
}  // namespace parity::cli
