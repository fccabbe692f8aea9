#include "model/spec.hpp"

#include <gtest/gtest.h>

#include "model/error.hpp"

namespace parity {
namespace {

/// The sentence of the refusal, which must be a usage error.
std::string refusal(const std::string& text) {
  try {
    parse_spec(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::bad_request) << text;
    return error.what();
  }
  ADD_FAILURE() << "'" << text << "' was read as a spec";
  return {};
}

TEST(Spec, PlainMathSetsEveryFamily) {
  const Spec spec = parse_spec("cpu:fp32");
  EXPECT_EQ(spec.text, "cpu:fp32");
  EXPECT_EQ(spec.backend, "cpu");
  EXPECT_EQ(spec.numerics, Numerics{});
  const Spec tf32 = parse_spec("cpu:tf32@sm_90");
  EXPECT_EQ(tf32.numerics.conv, Math::tf32);
  EXPECT_EQ(tf32.numerics.matmul, Math::tf32);
  EXPECT_EQ(tf32.numerics.rnn, Math::tf32);
  EXPECT_EQ(tf32.numerics.arch, Arch::sm_90);
  EXPECT_EQ(tf32.numerics.promise, Determinism::host_to_gpu);
}

TEST(Spec, DoubleLowersThePromiseUnlessItIsNamed) {
  EXPECT_EQ(parse_spec("cpu:fp64").numerics.promise, Determinism::run_to_run);
  EXPECT_EQ(parse_spec("cpu:exact").numerics.promise, Determinism::run_to_run);
  EXPECT_EQ(parse_spec("cpu:fp64,promise=host_to_gpu").numerics.promise, Determinism::host_to_gpu);
}

TEST(Spec, EveryClauseLandsInItsField) {
  const Spec spec = parse_spec(
      "cuda:fp32@sm_80,conv=tf32,matmul=fp32,rnn=fp32,round=truncate,algorithm=chain,fold_bn=on,"
      "promise=run_to_run,device=3,plan=p.json");
  EXPECT_EQ(spec.backend, "cuda");
  EXPECT_EQ(spec.numerics.conv, Math::tf32);
  EXPECT_EQ(spec.numerics.matmul, Math::fp32);
  EXPECT_EQ(spec.numerics.rnn, Math::fp32);
  EXPECT_EQ(spec.numerics.rounding, Rounding::truncate);
  EXPECT_EQ(spec.numerics.algorithm, Algorithm::chain);
  EXPECT_EQ(spec.numerics.batch_norm, BatchNormalisation::folded);
  EXPECT_EQ(spec.numerics.promise, Determinism::run_to_run);
  EXPECT_EQ(spec.numerics.arch, Arch::sm_80);
  EXPECT_EQ(spec.device, 3);
  EXPECT_EQ(spec.plan_file, "p.json");
}

TEST(Spec, CudaTakesTf32OfItsOwnDevice) {
  const Spec spec = parse_spec("cuda:tf32");
  EXPECT_EQ(spec.numerics.conv, Math::tf32);
  EXPECT_EQ(spec.numerics.arch, Arch::none);
}

TEST(Spec, CaptureKeepsItsFileNameWhole) {
  EXPECT_EQ(parse_spec("capture:a,b:c=d.npz").file, "a,b:c=d.npz");
  const Spec spec = parse_spec("capture:trt.npz,math=tf32");
  EXPECT_EQ(spec.backend, "capture");
  EXPECT_EQ(spec.file, "trt.npz");
  EXPECT_EQ(spec.numerics.conv, Math::tf32);
}

TEST(Spec, Tf32OnTheCpuNamesTheArchs) {
  EXPECT_EQ(refusal("cpu:tf32"),
            "the spec 'cpu:tf32' cannot be read: the CPU has no tensor core of its own, so TF32 "
            "must name "
            "the generation to model, as in cpu:tf32@sm_90; the archs are " +
                tensor_core_archs() + ".");
  EXPECT_NE(refusal("cpu:fp32,conv=tf32").find("must name the generation"), std::string::npos);
}

struct Refused {
  std::string spec, sentence;
};

TEST(Spec, RefusalsSayWhatThereIs) {
  const Refused refused[] = {
      {"gpu:fp32", "'gpu' is no backend; there is cpu, cuda, capture; did you mean 'cpu'?"},
      {"tensorrt:fp16", "'tensorrt' is no backend; there is cpu, cuda, capture."},
      {"", "'' is no backend; there is cpu, cuda, capture."},
      {"cpu", "it names no math; write cpu:MATH with MATH one of fp32, tf32, fp64, exact."},
      {"cpu:", "'' is no math; there is fp32, tf32, fp64, exact."},
      {"cpu:fp16", "'fp16' is no math; there is fp32, tf32, fp64, exact."},
      {"cpu:fp32,cnov=tf32",
       "'cnov' is no clause; there is conv, matmul, rnn, round, algorithm, fold_bn, functions, "
       "promise, "
       "device, "
       "plan; did you mean 'conv'?"},
      {"cpu:fp32,conv", "the clause 'conv' has no value; write conv=VALUE."},
      {"cpu:fp32,conv=fp64", "'fp64' is no math for the clause 'conv'; there is fp32, tf32."},
      {"cpu:tf32@sm_90,round=up", "'up' is no operand rounding; there is rna, truncate, rn."},
      {"cpu:fp32,algorithm=lanes32",
       "'lanes32' is no multiply-accumulate algorithm; there is chain, chunk256, tensor:k4f24, "
       "tensor:k8f25, gemm:eigen, gemm:cublas."},
      {"cpu:fp32,functions=corect",
       "'corect' is no source of elementary functions; there is paritylab, correct; did you mean "
       "'correct'?"},
      {"cpu:exact,functions=correct",
       "exact has one way to compute and takes no 'functions'; drop it, or start from fp32."},
      {"cpu:fp32,fold_bn=maybe", "'maybe' is no value of fold_bn; there is on, off."},
      {"cpu:fp32,promise=always",
       "'always' is no promise; there is not_guaranteed, run_to_run, gpu_to_gpu, host_to_gpu."},
      {"cuda:fp32,device=first",
       "device=first is no device number; write 0 for the first, as `paritylab devices` counts "
       "them."},
      {"cuda:fp32,device=-1",
       "device=-1 is no device number; write 0 for the first, as `paritylab devices` counts them."},
      {"cpu:fp32,plan=", "plan= needs a file, as --save-plan-a writes one."},
      {"cpu:fp32,fold_bn=on,fold_bn=off", "the clause 'fold_bn' is given twice; keep one."},
      {"cpu:fp64,conv=tf32",
       "fp64 has one way to compute and takes no 'conv'; drop it, or start from fp32."},
      {"cpu:tf32@sm_75", "sm_75 has no TF32 tensor core; name one of " + tensor_core_archs() + "."},
      {"cpu:tf32@hopper", "'hopper' is no arch; the archs are " + tensor_core_archs() + "."},
      {"cpu:fp32@sm_90",
       "it names the arch sm_90 but asks for TF32 nowhere; drop the arch, or write tf32@sm_90."},
      {"capture:", "a capture needs a file of tensors by ONNX or stage name, as in capture:b.npz."},
      {"capture", "a capture needs a file, as in capture:b.npz."},
  };
  for (const Refused& each : refused)
    EXPECT_EQ(refusal(each.spec), "the spec '" + each.spec + "' cannot be read: " + each.sentence);
}

}  // namespace
}  // namespace parity
