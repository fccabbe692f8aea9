#include "cli/bundle.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <vector>

#include "cli/child.hpp"
#include "cli/file_bytes.hpp"
#include "cli/output.hpp"
#include "model/arithmetic/digest.hpp"
#include "model/error.hpp"
#include "model/files/archive.hpp"
#include "model/files/npz.hpp"
#include "model/json_fault.hpp"
#include "model/onnx/export.hpp"
#include "model/onnx/import.hpp"
#include "model/text.hpp"

namespace parity::cli {
namespace {

using nlohmann::ordered_json;

constexpr int bundle_schema = 1;
/// Of tensors in a bundle together: what a stage of a large network needs, not what fills a disk.
constexpr std::uint64_t largest_bytes = std::uint64_t{1} << 34;
constexpr const char* what_it_is =
    "A bundle is a folder or a .zip about one stage, which `paritylab diff MODEL --b SPEC --repro "
    "BUNDLE` writes";
constexpr const char* of_a = "a/";
constexpr const char* of_b = "b/";
const std::vector<std::string> file_names = {"manifest.json", "model.onnx", "inputs.npz",
                                             "expected.npz"};

bool is_archive(const std::string& path) { return has_suffix(path, ".zip"); }

ordered_json digests_json(const std::vector<NamedTensor>& tensors) {
  ordered_json list = ordered_json::array();
  for (const NamedTensor& each : tensors)
    list.push_back({{"name", each.name},
                    {"type", to_string(each.tensor.type())},
                    {"digest", to_string(digest(each.tensor))}});
  return list;
}

ordered_json side_json(const SideBits& side) {
  return {{"spec", side.spec},           {"contract", side.contract},
          {"promise", side.promise},     {"device", side.device},
          {"recording", side.recording}, {"outputs", digests_json(side.outputs)}};
}

ordered_json manifest_of(const Repro& repro) {
  ordered_json json;
  json["paritylab_repro"] = bundle_schema;
  json["tool_version"] = repro.tool_version;
  json["tool_commit"] = repro.tool_commit;
  json["command"] = repro.command;
  json["replay"] = "paritylab repro FOLDER";
  json["model"] = repro.model;
  json["model_digest"] = repro.model_digest;
  json["stage"] = repro.stage;
  json["verdict"] = repro.verdict;
  json["reason"] = repro.reason;
  json["looks_like"] = repro.looks_like;
  json["cause"] = repro.cause;
  json["inputs"] = digests_json(repro.inputs);
  json["a"] = side_json(repro.a);
  json["b"] = side_json(repro.b);
  json["algorithms"] = ordered_json::array();
  for (const AlgorithmBits& bits : repro.algorithms) {
    ordered_json row = {
        {"spec", bits.spec}, {"contract", bits.contract}, {"promise", name(bits.promise)}};
    for (const Digest& each : bits.digests) row["digests"].push_back(to_string(each));
    json["algorithms"].push_back(std::move(row));
  }
  return json;
}

Error damaged(const std::string& path, const std::string& why) {
  return Error(Fault::bad_input, "the bundle " + path + " cannot be replayed: " + why + ".");
}

/// Tensors of a list in the manifest, found among those of a file and held to their digests.
std::vector<NamedTensor> tensors_of(const nlohmann::json& list, const std::string& prefix,
                                    const std::vector<NamedTensor>& held, const std::string& path) {
  std::vector<NamedTensor> all;
  for (const auto& row : list) {
    const std::string name = row.at("name").get<std::string>();
    const auto found = std::find_if(held.begin(), held.end(), [&](const NamedTensor& tensor) {
      return tensor.name == prefix + name;
    });
    if (found == held.end()) throw damaged(path, "it lacks the tensor " + shown(prefix + name));
    if (to_string(digest(found->tensor)) != row.at("digest").get<std::string>())
      throw damaged(path, "its tensor " + shown(prefix + name) +
                              " does not have the digest that its manifest names");
    all.push_back({name, found->tensor});
  }
  return all;
}

SideBits side_of_json(const nlohmann::json& json, const std::string& prefix,
                      const std::vector<NamedTensor>& held, const std::string& path) {
  SideBits side;
  json.at("spec").get_to(side.spec);
  json.at("contract").get_to(side.contract);
  json.at("promise").get_to(side.promise);
  json.at("device").get_to(side.device);
  json.at("recording").get_to(side.recording);
  side.outputs = tensors_of(json.at("outputs"), prefix, held, path);
  return side;
}

AlgorithmBits algorithm_of_json(const nlohmann::json& json, const std::string& path) {
  AlgorithmBits bits;
  json.at("spec").get_to(bits.spec);
  json.at("contract").get_to(bits.contract);
  const auto promise = determinism_named(json.at("promise").get<std::string>());
  // The bundle is somebody else's file: it may name arithmetic of the processor, not files.
  if (!promise || bits.spec.rfind("cpu:", 0) != 0 || bits.spec.find("plan=") != std::string::npos)
    throw damaged(path, shown(bits.spec) + " is no arithmetic of the processor");
  bits.promise = *promise;
  for (const auto& digest_text : json.at("digests")) {
    const std::optional<Digest> digest = digest_named(digest_text.get<std::string>());
    if (!digest) throw damaged(path, "its manifest has a digest that is not 32 hex digits");
    bits.digests.push_back(*digest);
  }
  return bits;
}

void unpack_bundle(const std::string& path, const std::filesystem::path& folder) {
  try {
    unpack(path, file_names, folder, largest_bytes);
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_input) throw;
    throw damaged(path, error.what() + std::string(". ") + what_it_is);
  }
}

}  // namespace

BundleFolder::BundleFolder(std::string path) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  std::error_code failed;
  if (std::filesystem::exists(std::filesystem::symlink_status(path_, failed)))
    throw Error(Fault::bad_request, "the bundle '" + path_ +
                                        "' is there already and is not written over; name "
                                        "another folder, or remove it.");
  const std::string partial = path_ + ".partial-" + std::to_string(::getpid());
  if (!std::filesystem::create_directory(partial, failed))
    throw Error(Fault::io, "the bundle '" + path_ + "' cannot be written: " +
                               (failed ? failed.message() : "a folder of its working name exists") +
                               "; its parent folder must exist and be writable.");
  partial_ = partial;
}

BundleFolder::~BundleFolder() {
  std::error_code ignored;
  if (!partial_.empty()) std::filesystem::remove_all(partial_, ignored);
}

void BundleFolder::write(const Repro& repro) {
  const std::filesystem::path folder = partial_;
  OutputFile((folder / "model.onnx").string()).write(export_onnx(repro.graph));
  write_npz(folder / "inputs.npz", repro.inputs);
  std::vector<NamedTensor> expected;
  for (const NamedTensor& each : repro.a.outputs)
    expected.push_back({of_a + each.name, each.tensor});
  for (const NamedTensor& each : repro.b.outputs)
    expected.push_back({of_b + each.name, each.tensor});
  write_npz(folder / "expected.npz", expected);
  OutputFile((folder / "manifest.json").string())
      .write(manifest_of(repro).dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  std::filesystem::path whole = folder;
  if (is_archive(path_)) {
    whole = folder / "bundle.zip";
    pack(folder, file_names, whole);
  }
  std::error_code failed;
  std::filesystem::rename(whole, path_, failed);
  if (failed)
    throw Error(Fault::io,
                "the bundle '" + path_ + "' cannot be written: " + failed.message() + ".");
  if (!is_archive(path_)) partial_.clear();
}

Repro read_bundle(const std::string& path) {
  std::filesystem::path folder = path;
  std::error_code ignored;
  std::optional<ScratchFolder> unpacked;
  try {
    if (!std::filesystem::exists(folder, ignored))
      throw damaged(path, std::string("there is no such file or folder. ") + what_it_is);
    if (std::filesystem::is_directory(folder, ignored)) {
      for (const std::string& name : file_names)
        if (!std::filesystem::exists(folder / name, ignored))
          throw damaged(path, "the folder lacks " + name + ". " + what_it_is);
    } else {
      unpacked.emplace();
      folder = unpacked->path("");
      unpack_bundle(path, folder);
    }
    const nlohmann::json json =
        nlohmann::json::parse(read_text_file((folder / "manifest.json").string()));
    if (json.at("paritylab_repro") != bundle_schema)
      throw damaged(path, "it has another schema version");
    Repro repro;
    json.at("tool_version").get_to(repro.tool_version);
    json.at("tool_commit").get_to(repro.tool_commit);
    json.at("command").get_to(repro.command);
    json.at("model").get_to(repro.model);
    json.at("model_digest").get_to(repro.model_digest);
    json.at("stage").get_to(repro.stage);
    json.at("verdict").get_to(repro.verdict);
    json.at("reason").get_to(repro.reason);
    // Bundles of the first releases have neither.
    repro.looks_like = json.value("looks_like", "");
    repro.cause = json.value("cause", "");
    repro.inputs =
        tensors_of(json.at("inputs"), "", read_npz(folder / "inputs.npz", largest_bytes), path);
    const std::vector<NamedTensor> expected = read_npz(folder / "expected.npz", largest_bytes);
    repro.a = side_of_json(json.at("a"), of_a, expected, path);
    repro.b = side_of_json(json.at("b"), of_b, expected, path);
    for (const auto& row : json.at("algorithms"))
      repro.algorithms.push_back(algorithm_of_json(row, path));
    repro.graph = import_onnx(folder / "model.onnx");
    return repro;
  } catch (const nlohmann::json::exception& error) {
    throw damaged(path, "its manifest is not as written (" + json_fault(error) + ")");
  } catch (const Error& error) {
    // Whatever is missing or asked for in vain in a bundle, the bundle is what is wrong.
    if (error.fault() != Fault::io && error.fault() != Fault::bad_request) throw;
    throw damaged(path, error.what());
  }
}

}  // namespace parity::cli
