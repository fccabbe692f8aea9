#include "cli/digests.hpp"

#include <nlohmann/json.hpp>

#include "model/arithmetic/digest.hpp"
#include "model/error.hpp"
#include "model/json_fault.hpp"
#include "model/text.hpp"

namespace parity::cli {
namespace {

constexpr int digests_schema = 1;

Error no_digests(const std::string& why) {
  return Error(Fault::bad_input, "the digest file cannot be read: " + why + ".");
}

Digest digest_of(const std::string& hex) {
  const std::optional<Digest> digest = digest_named(hex);
  if (!digest) throw no_digests(shown(hex) + " is no digest of 32 hex digits");
  return *digest;
}

}  // namespace

std::string write_digests(const Trail& trail, const Graph& graph, const Plan& plan) {
  nlohmann::ordered_json json;
  json["paritylab_digests"] = digests_schema;
  json["model"] = graph.name;
  json["digest"] = graph.digest;
  json["spec"] = plan.spec;
  json["stages"] = nlohmann::ordered_json::array();
  for (std::size_t s = 0; s < trail.stages.size(); ++s) {
    nlohmann::ordered_json row;
    row["stage"] = plan.stages[s].stage.name;
    row["contract"] = plan.stages[s].contract_text();
    for (const Digest& digest : trail.stages[s]) row["digests"].push_back(to_string(digest));
    json["stages"].push_back(std::move(row));
  }
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Trail read_digests(const std::string& text, const Graph& graph, const Plan& plan) {
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    if (json.at("paritylab_digests") != digests_schema)
      throw no_digests("it has another schema version");
    if (json.at("digest").get<std::string>() != graph.digest)
      throw no_digests("it is of " + shown(json.at("model").get<std::string>()) +
                       ", another model than " + shown(graph.name));
    const auto& rows = json.at("stages");
    if (rows.size() != plan.stages.size())
      throw no_digests("it has " + std::to_string(rows.size()) + " stages, the run has " +
                       std::to_string(plan.stages.size()));
    Trail trail;
    for (std::size_t s = 0; s < rows.size(); ++s) {
      const Stage& stage = plan.stages[s].stage;
      const auto digests = rows[s].at("digests").get<std::vector<std::string>>();
      if (rows[s].at("stage").get<std::string>() != stage.name ||
          digests.size() != stage.outputs.size())
        throw no_digests("its stage " + std::to_string(s) + " is not the run's '" + stage.name +
                         "'");
      trail.stages.emplace_back();
      for (const std::string& hex : digests) trail.stages.back().push_back(digest_of(hex));
    }
    return trail;
  } catch (const nlohmann::json::exception& error) {
    throw no_digests("it is no list of digests (" + json_fault(error) + ")");
  }
}

}  // namespace parity::cli
