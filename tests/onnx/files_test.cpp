#include <gtest/gtest.h>
#include <unistd.h>
#include <zip.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "model/files/npy.hpp"
#include "model/files/npz.hpp"
#include "model/onnx/tensor_file.hpp"
#include "tests/onnx/model_maker.hpp"

namespace parity {
namespace {

namespace fs = std::filesystem;

/// A .npy of format version 1 to 3 with the given header text and elements.
std::string npy(const std::string& header, const std::string& elements, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    bytes += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return bytes + header + elements;
}
std::string dict(const std::string& descr, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }\n";
}
template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

Tensor parse(const std::string& bytes) {
  return parse_npy(std::as_bytes(std::span(bytes.data(), bytes.size())), "'t.npy'").tensor;
}
void expect_refused(const std::string& bytes, const std::string& fragment) {
  try {
    parse(bytes);
    ADD_FAILURE() << "was read, though it should say: " << fragment;
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::bad_input);
    EXPECT_NE(std::string(error.what()).find(fragment), std::string::npos) << error.what();
  }
}

TEST(Npy, SaysWhatTheFileCallsATypeThatIsHeldInAWiderOne) {
  const std::pair<const char*, const char*> types[] = {
      {"<i4", "int32"},   {">i4", "int32"}, {"|u1", "uint8"}, {"<u8", "uint64"},
      {"<f2", "float16"}, {"<i8", ""},      {"<f4", ""},      {"|b1", ""}};
  for (const auto& [descr, declared] : types) {
    const std::string bytes =
        npy(dict(descr, "(1,)"), std::string(static_cast<std::size_t>(descr[2] - '0'), '\0'));
    const NamedTensor read =
        parse_npy(std::as_bytes(std::span(bytes.data(), bytes.size())), "'t.npy'");
    EXPECT_EQ(read.declared, declared) << descr;
  }
}

TEST(Npy, ReadsEveryVersion) {
  const Tensor expected = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  for (const int version : {1, 2, 3})
    EXPECT_TRUE(
        same_bits(parse(npy(dict("<f4", "(2, 2)"), raw<float>({1, 2, 3, 4}), version)), expected));
}

TEST(Npy, ReadsFortranOrder) {
  EXPECT_TRUE(same_bits(parse(npy(dict("<f4", "(2, 3)", true), raw<float>({1, 4, 2, 5, 3, 6}))),
                        Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})));
}

TEST(Npy, ReadsBigEndian) {
  EXPECT_TRUE(same_bits(parse(npy(dict(">f4", "(1,)"), std::string("\x3f\x80\0\0", 4))),
                        Tensor::of<float>({1}, {1})));
  EXPECT_TRUE(same_bits(parse(npy(dict(">i2", "(2,)"), std::string("\x01\x02\xff\xfe", 4))),
                        Tensor::of<std::int64_t>({2}, {258, -2})));
}

TEST(Npy, WidensHalvesAndIntegersExactly) {
  const std::vector<std::uint16_t> halves = {0x3C00, 0xC000, 0x0001, 0x8001,
                                             0x7BFF, 0x7C00, 0x0400, 0x03FF};
  EXPECT_TRUE(same_bits(
      parse(npy(dict("<f2", "(8,)"), raw(halves))),
      Tensor::of<float>({8}, {1, -2, 0x1p-24F, -0x1p-24F, 65504,
                              std::numeric_limits<float>::infinity(), 0x1p-14F, 1023 * 0x1p-24F})));
  EXPECT_TRUE(same_bits(parse(npy(dict("|u1", "(2,)"), raw<std::uint8_t>({0, 255}))),
                        Tensor::of<std::int64_t>({2}, {0, 255})));
  EXPECT_TRUE(same_bits(parse(npy(dict("<i4", "(1,)"), raw<std::int32_t>({-7}))),
                        Tensor::of<std::int64_t>({1}, {-7})));
  expect_refused(npy(dict("<u8", "(1,)"), raw<std::uint64_t>({~std::uint64_t{0}})),
                 "does not fit int64");
}

TEST(Npy, ReadsScalarsAndEmptyArrays) {
  EXPECT_TRUE(
      same_bits(parse(npy(dict("<f8", "()"), raw<double>({2.5}))), Tensor::of<double>({}, {2.5})));
  EXPECT_EQ(to_string(parse(npy(dict("<f4", "(3, 0)"), "")).shape()), "3x0");
}

TEST(Npy, RefusesWhatItIsNot) {
  expect_refused("", "ends inside");
  expect_refused("not a numpy file", "no .npy");
  expect_refused(npy(dict("<f4", "(1,)"), raw<float>({1}), 4), "version is 4");
  expect_refused(npy(dict("|O", "(1,)"), ""), "element type");
  expect_refused(npy(dict("|O8", "(1,)"), "12345678"), "pickled");
  expect_refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234"),
                 "structured");
  expect_refused(npy(dict("<c8", "(1,)"), "12345678"), "'<c8'");
  expect_refused(npy(dict("<f4", "(2, 2)"), raw<float>({1, 2, 3})), "needs 16 bytes, but 12");
  expect_refused(npy(dict("<f4", "(1,)"), raw<float>({1, 2})), "needs 4 bytes, but 8");
  expect_refused(npy(dict("<f4", "(-1,)"), ""), "shape");
  expect_refused(npy(dict("<f4", "(4294967296, 4294967296, 4294967296)"), ""), "cannot read");
  expect_refused(npy(dict("<f4", "(99999999999999999999,)"), ""), "shape");
  expect_refused(npy(dict("|b1", "(1,)"), "\x02"), "bool element is 2");
  expect_refused(npy(std::string(10'001, ' '), ""), "header has 10001 bytes");
  expect_refused(npy("{'descr': '<f4', 'shape': (1,), }", "1234"), "lacks");
  expect_refused(
      npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "1234"),
      "twice");
  expect_refused(npy("{'descr': '<f4', 'fortran_order': __import__('os'), 'shape': (1,)}", "1234"),
                 "fortran_order");
  expect_refused(npy(dict("<f4", "(1,)") + "x", "1234"), "goes on after its end");
}

TEST(Npy, EveryPrefixIsRefused) {
  const std::string bytes = npy(dict("<f4", "(2, 2)"), raw<float>({1, 2, 3, 4}));
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_THROW(parse(bytes.substr(0, length)), Error) << length;
}

/// A folder that goes when the test does.
class Npz : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "npz-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// An archive of the given members as libzip writes it.
  fs::path archive(const std::vector<std::pair<std::string, std::string>>& members,
                   int method = ZIP_CM_DEFLATE) const {
    const fs::path file = folder_ / "a.npz";
    fs::remove(file);
    int code = 0;
    zip_t* zip = zip_open(file.c_str(), ZIP_CREATE, &code);
    for (const auto& [name, bytes] : members) {
      const zip_int64_t index =
          zip_file_add(zip, name.c_str(), zip_source_buffer(zip, bytes.data(), bytes.size(), 0),
                       ZIP_FL_ENC_UTF_8);
      EXPECT_GE(index, 0);
      zip_set_file_compression(zip, static_cast<zip_uint64_t>(index), method, 9);
    }
    EXPECT_EQ(zip_close(zip), 0);
    return file;
  }
  std::string bytes_of(const fs::path& file) const {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  fs::path holding(const std::string& bytes) const {
    const fs::path file = folder_ / "b.npz";
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  void expect_refused(const fs::path& file, const std::string& fragment,
                      std::uint64_t largest = std::uint64_t{1} << 36) const {
    try {
      read_npz(file, largest);
      ADD_FAILURE() << "was read, though it should say: " << fragment;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_input) << error.what();
      EXPECT_NE(std::string(error.what()).find(fragment), std::string::npos) << error.what();
    }
  }
  std::string vector_npy() const { return npy(dict("<f4", "(3,)"), raw<float>({1, 2, 3})); }

  fs::path folder_;
};

TEST_F(Npz, WhatIsWrittenIsRead) {
  const std::vector<NamedTensor> written = {
      {"layer/0:out",
       Tensor::of<float>({2, 2}, {1, -0.0F, std::numeric_limits<float>::infinity(), 4})},
      {"b", Tensor::of<std::int64_t>({3}, {1, -2, 3})},
      {"flag", Tensor::of<std::uint8_t>({1}, {1})},
      {"d", Tensor::of<double>({}, {0.1})},
      {"empty", Tensor::of<float>({0, 4}, {})}};
  const fs::path file = folder_ / "w.npz";
  write_npz(file, written);
  const std::vector<NamedTensor> read = read_npz(file);
  ASSERT_EQ(read.size(), written.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].name, written[i].name);
    EXPECT_TRUE(same_bits(read[i].tensor, written[i].tensor)) << read[i].name;
  }
}

TEST_F(Npz, EqualTensorsGiveEqualBytes) {
  const std::vector<NamedTensor> tensors = {{"x", Tensor::of<float>({2}, {1, 2})}};
  write_npz(folder_ / "1.npz", tensors);
  write_npz(folder_ / "2.npz", tensors);
  EXPECT_EQ(bytes_of(folder_ / "1.npz"), bytes_of(folder_ / "2.npz"));
}

TEST_F(Npz, ReadsStoredAndDeflatedMembers) {
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const std::vector<NamedTensor> read = read_npz(archive({{"v.npy", vector_npy()}}, method));
    ASSERT_EQ(read.size(), 1U);
    EXPECT_TRUE(same_bits(read[0].tensor, Tensor::of<float>({3}, {1, 2, 3})));
  }
}

TEST_F(Npz, RefusesLies) {
  expect_refused(holding("PK\x03\x04 and nothing else"), "no consistent ZIP archive");
  expect_refused(archive({{"readme.txt", "hello"}}), "no .npy array");
  expect_refused(archive({{"v.npy", "hello hello"}}), "no .npy file");

  const std::string header = dict("<f4", "(1000000000,)");
  expect_refused(archive({{"v.npy", npy(header, "1234")}}), "needs 4000000000 bytes, but 4");

  // the second name is patched to the first in both of its headers
  std::string twice = bytes_of(archive({{"v.npy", vector_npy()}, {"u.npy", vector_npy()}}));
  for (std::size_t at = 0; (at = twice.find("u.npy", at)) != std::string::npos;) twice[at] = 'v';
  expect_refused(holding(twice), "cannot read");

  // a directory that claims another unpacked size than the local header
  std::string sizes = bytes_of(archive({{"v.npy", vector_npy()}}, ZIP_CM_STORE));
  const std::size_t directory = sizes.find("PK\x01\x02");
  ASSERT_NE(directory, std::string::npos);
  sizes[directory + 24] = static_cast<char>(sizes[directory + 24] + 1);
  expect_refused(holding(sizes), "cannot read");

  // one element changed under an unchanged checksum
  std::string damaged = bytes_of(archive({{"v.npy", vector_npy()}}, ZIP_CM_STORE));
  damaged[damaged.find("PK\x01\x02") - 1] ^= 1;
  expect_refused(holding(damaged), "damaged");
}

TEST_F(Npz, RefusesBombsBeforeTheyUnpack) {
  const std::int64_t elements = 4'000'000;
  const std::string bomb =
      npy(dict("|u1", "(" + std::to_string(elements) + ",)"), std::string(elements, '\0'));
  const fs::path file = archive({{"v.npy", bomb}});
  EXPECT_LT(fs::file_size(file), bomb.size() / 500) << "the bomb is none";
  expect_refused(file, "claim to unpack to more than 1000000", 1'000'000);
  EXPECT_EQ(read_npz(file).at(0).tensor.size(), elements);
}

TEST_F(Npz, EveryPrefixIsRefused) {
  const std::string bytes = bytes_of(archive({{"v.npy", vector_npy()}, {"u.npy", vector_npy()}}));
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_THROW(read_npz(holding(bytes.substr(0, length))), Error) << length;
}

TEST_F(Npz, MutationsAreAnErrorOrTensors) {
  const std::string bytes = bytes_of(archive({{"v.npy", vector_npy()}, {"u.npy", vector_npy()}}));
  std::uint64_t state = 11;
  for (int i = 0; i < 500; ++i) {
    std::string mutant = bytes;
    for (int edits = 0; edits < 3; ++edits) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      mutant[(state >> 33) % mutant.size()] = static_cast<char>(state >> 56);
    }
    try {
      read_npz(holding(mutant));
    } catch (const Error&) {
    }
  }
}

TEST_F(Npz, AnUnwritablePathIsASentence) {
  const auto refused = [&](const fs::path& file) {
    try {
      write_npz(file, std::vector<NamedTensor>{{"x", Tensor::of<float>({1}, {1})}});
      ADD_FAILURE() << file << " was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::io);
      EXPECT_NE(std::string(error.what()).find("cannot write"), std::string::npos) << error.what();
    }
  };
  refused(folder_ / "no" / "such" / "folder.npz");
  fs::create_directory(folder_ / "folder.npz");
  refused(folder_ / "folder.npz");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1)
      << "a partial file was left";
  if (fs::exists("/dev/full")) {
    NpzWriter writer("/dev/full");
    EXPECT_THROW(
        {
          writer.add("x", Tensor::of<float>({1 << 20}, std::vector<float>(1 << 20, 1.0F)));
          writer.finish();
        },
        Error);
  }
}

TEST_F(Npz, AMissingFileIsASentence) {
  try {
    read_npz(folder_ / "none.npz");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::io) << error.what();
  }
}

TEST_F(Npz, TensorProtosAndTestDataSetsAreRead) {
  const auto write = [&](const std::string& name, int type, const std::string& elements) {
    onnx::TensorProto tensor;
    ModelMaker::raw(tensor, "t", {2}, type, elements.data(), elements.size());
    std::ofstream(folder_ / name, std::ios::binary) << tensor.SerializeAsString();
  };
  write("input_0.pb", onnx::TensorProto::INT32, raw<std::int32_t>({-1, 5}));
  write("input_1.pb", onnx::TensorProto::DOUBLE, raw<double>({0.1, 2}));
  write("output_0.pb", onnx::TensorProto::FLOAT, raw<float>({1, 2}));
  const TestDataSet set = read_test_data_set(folder_);
  ASSERT_EQ(set.inputs.size(), 2U);
  ASSERT_EQ(set.outputs.size(), 1U);
  EXPECT_TRUE(same_bits(set.inputs[0].tensor, Tensor::of<std::int64_t>({2}, {-1, 5})));
  EXPECT_TRUE(same_bits(set.inputs[1].tensor, Tensor::of<double>({2}, {0.1, 2})));
  EXPECT_EQ(set.outputs[0].name, "t");
  write("input_0.pb", onnx::TensorProto::FLOAT16, "1234");
  EXPECT_THROW(read_test_data_set(folder_), Error);
  write("input_0.pb", onnx::TensorProto::FLOAT, "1234");
  EXPECT_THROW(read_test_data_set(folder_), Error);
  EXPECT_THROW(read_test_data_set(folder_ / "none"), Error);
}

}  // namespace
}  // namespace parity
