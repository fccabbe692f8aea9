// Weights in files beside the model: what may be read and what may not.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/onnx/import.hpp"
#include "tests/onnx/model_maker.hpp"

namespace parity {
namespace {

namespace fs = std::filesystem;

/// A folder with a model, its data file of 64 floats, and a secret outside.
class ExternalData : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "external-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    fs::create_directories(root_ / "model" / "sub");
    std::vector<float> values(64);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    for (const fs::path& file : {root_ / "model" / "w.bin", root_ / "secret.bin"})
      std::ofstream(file, std::ios::binary)
          .write(reinterpret_cast<const char*>(values.data()), 256);
  }
  void TearDown() override { fs::remove_all(root_); }

  /// A model whose 2x2 constant lies at `location`, offset 8.
  fs::path model(const std::vector<std::pair<std::string, std::string>>& entries) const {
    ModelMaker maker;
    maker.input("x", {2, 2});
    onnx::TensorProto& w = *maker.graph().add_initializer();
    w.set_name("w");
    w.set_data_type(onnx::TensorProto::FLOAT);
    w.add_dims(2);
    w.add_dims(2);
    w.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      onnx::StringStringEntryProto& entry = *w.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    maker.node("MatMul", {"x", "w"}, {"y"}, "product");
    maker.output("y");
    const fs::path file = root_ / "model" / "m.onnx";
    std::ofstream(file, std::ios::binary) << maker.bytes();
    return file;
  }

  Graph read(const std::string& location, const ImportOptions& options = {}) const {
    return import_onnx(model({{"location", location}, {"offset", "8"}, {"length", "16"}}), options);
  }

  void expect_values(const Graph& graph) const {
    bool found = false;
    for (const auto& parameter : graph.steps.at(0).parameters)
      if (parameter) found |= same_bits(*parameter, Tensor::of<float>({2, 2}, {2, 3, 4, 5}));
    EXPECT_TRUE(found) << "the weights are not those of the file";
  }

  void expect_refused(const std::vector<std::pair<std::string, std::string>>& entries,
                      const std::string& fragment, const ImportOptions& options = {}) const {
    try {
      import_onnx(model(entries), options);
      ADD_FAILURE() << "was read, though it should say: " << fragment;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_model) << error.what();
      EXPECT_NE(std::string(error.what()).find(fragment), std::string::npos) << error.what();
    }
  }
  void expect_location_refused(const std::string& location, const std::string& fragment) const {
    expect_refused({{"location", location}, {"offset", "8"}, {"length", "16"}}, fragment);
  }

  fs::path root_;
};

TEST_F(ExternalData, IsReadFromTheModelsFolder) {
  expect_values(read("w.bin"));
  expect_values(read("sub/../w.bin"));
  fs::copy_file(root_ / "model" / "w.bin", root_ / "model" / "sub" / "v.bin");
  expect_values(read("sub/v.bin"));
}

TEST_F(ExternalData, NeverLeavesTheModelsFolder) {
  expect_location_refused("../secret.bin", "outside the model's folder");
  expect_location_refused("sub/../../secret.bin", "outside the model's folder");
  expect_location_refused((root_ / "secret.bin").string(), "relative");
  expect_location_refused("", "relative");
  expect_location_refused(std::string("w.bin\0/../../secret.bin", 23), "relative");
  expect_location_refused("nothing.bin", "no such file");
  expect_location_refused("w.bin/x", "no such file");
}

TEST_F(ExternalData, FollowsNoLinks) {
  fs::create_symlink(root_ / "secret.bin", root_ / "model" / "link.bin");
  expect_location_refused("link.bin", "symbolic link");
  fs::create_symlink("w.bin", root_ / "model" / "inner.bin");
  expect_location_refused("inner.bin", "symbolic link");
  fs::create_directory_symlink(root_, root_ / "model" / "up");
  expect_location_refused("up/secret.bin", "symbolic link");
  fs::create_hard_link(root_ / "secret.bin", root_ / "model" / "hard.bin");
  expect_location_refused("hard.bin", "hard links");
}

TEST_F(ExternalData, IsARegularFile) {
  ASSERT_EQ(mkfifo((root_ / "model" / "pipe").c_str(), 0600), 0);
  expect_location_refused("pipe", "regular file");
  expect_location_refused("sub", "regular file");
}

TEST_F(ExternalData, MayBeLinkedIntoARootTheUserNames) {
  ImportOptions options;
  options.external_roots = {root_};
  fs::create_symlink(root_ / "secret.bin", root_ / "model" / "link.bin");
  expect_values(read("link.bin", options));
  fs::create_hard_link(root_ / "secret.bin", root_ / "model" / "hard.bin");
  expect_values(read("hard.bin", options));
  options.external_roots = {root_ / "model" / "sub"};
  expect_refused({{"location", "link.bin"}, {"offset", "8"}, {"length", "16"}}, "symbolic link",
                 options);
}

TEST_F(ExternalData, RangesMustLieInTheFile) {
  expect_refused({{"location", "w.bin"}, {"offset", "244"}, {"length", "16"}}, "256");
  expect_refused({{"location", "w.bin"}, {"offset", "9223372036854775807"}}, "256");
  expect_refused({{"location", "w.bin"}, {"offset", "-8"}}, "no count of bytes");
  expect_refused({{"location", "w.bin"}, {"offset", "8x"}}, "no count of bytes");
  expect_refused({{"location", "w.bin"}, {"offset", "99999999999999999999"}}, "no count of bytes");
  expect_refused({{"location", "w.bin"}, {"length", "20"}}, "20 bytes");
}

TEST_F(ExternalData, KeysAreThoseOfTheStandard) {
  expect_refused({{"location", "w.bin"}, {"basepath", "/"}}, "'basepath'");
  expect_refused({{"location", "w.bin"}, {"location", "../secret.bin"}}, "twice");
  expect_refused({{"offset", "8"}}, "relative");
}

}  // namespace
}  // namespace parity
