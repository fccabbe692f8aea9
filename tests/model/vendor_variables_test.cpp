#include "model/vendor_variables.hpp"

#include <gtest/gtest.h>

#include "model/error.hpp"
#include "tests/model/small_graph.hpp"

namespace parity {
namespace {

std::vector<Stage> stages() {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 8, 5, 5}});
  builder.add_output(add_relu(builder, add_conv(builder, x, 8, "/b/Conv", "c", 1), "", "y"));
  return cut(builder.finish());
}

Numerics by(Math math, std::optional<Algorithm> algorithm) {
  Numerics numerics = numerics_of(math, math == Math::tf32 ? Arch::sm_90 : Arch::none);
  numerics.algorithm = algorithm;
  numerics.promise = Determinism::run_to_run;
  return numerics;
}

std::optional<std::string> why(const Variables& variables, const Numerics& numerics) {
  return contradiction(variables, stages(), numerics, "cuda:SPEC");
}

const Variables tf32_off{{"NVIDIA_TF32_OVERRIDE", "0"}}, tf32_on{{"NVIDIA_TF32_OVERRIDE", "1"}},
    pieces{{"CUBLAS_EMULATE_SINGLE_PRECISION", "1"}},
    no_pieces{{"CUBLAS_EMULATE_SINGLE_PRECISION", "0"}},
    workspace{{"CUBLAS_WORKSPACE_CONFIG", ":4096:8"}}, empty{{"NVIDIA_TF32_OVERRIDE", ""}};

TEST(VendorVariables, ALibrarysArithmeticThatTheyChangeIsAContradiction) {
  const Numerics fp32 = by(Math::fp32, Algorithm::gemm_cublas),
                 tf32 = by(Math::tf32, Algorithm::gemm_cublas);
  struct Case {
    const Variables& variables;
    bool fp32, tf32;  ///< contradicted
  };
  for (const auto& [variables, in_fp32, in_tf32] :
       {Case{tf32_off, false, true}, Case{tf32_on, true, false}, Case{pieces, true, false},
        Case{no_pieces, false, false}, Case{workspace, false, false}, Case{empty, false, false},
        Case{{}, false, false}}) {
    const std::string text = variables.empty() ? "none" : variables.front().second;
    EXPECT_EQ(why(variables, fp32).has_value(), in_fp32) << text;
    EXPECT_EQ(why(variables, tf32).has_value(), in_tf32) << text;
  }
}

TEST(VendorVariables, OurOwnKernelsObeyNone) {
  Variables all;
  for (const Variables* each : {&tf32_off, &tf32_on, &pieces, &workspace})
    all.insert(all.end(), each->begin(), each->end());
  for (const Numerics& own : {by(Math::fp32, std::nullopt), by(Math::fp32, Algorithm::chunk256),
                              by(Math::tf32, std::nullopt), by(Math::fp32, Algorithm::gemm_eigen)})
    EXPECT_FALSE(why(all, own));
}

TEST(VendorVariables, TheSentenceSaysWhatAndWhatToDo) {
  EXPECT_EQ(why(tf32_on, by(Math::fp32, Algorithm::gemm_cublas)),
            "the environment has NVIDIA_TF32_OVERRIDE=1, which may make cuBLAS round the operands "
            "of FP32 products to TF32, but stage 'b' of cuda:SPEC is to run by gemm:cublas, in "
            "FP32; unset NVIDIA_TF32_OVERRIDE, or ask for tf32 or for an algorithm of paritylab's "
            "own, such as chain, which obeys no variable");
}

TEST(VendorVariables, ARunIsRefusedAsAFailureOfTheEnvironment) {
  try {
    demand_no_contradiction(tf32_off, stages(), by(Math::tf32, Algorithm::gemm_cublas),
                            "cuda:SPEC");
    FAIL() << "TF32 was switched off from outside, and nobody was told";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::device);
  }
}

}  // namespace
}  // namespace parity
