#include "compare/margins.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "model/error.hpp"
#include "model/nearest.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
/// Places kept per decision: those that flipped, then those nearest to flipping.
constexpr std::size_t most_points = 8;

constexpr const char* rules =
    "write OUTPUT=argmax[:AXIS], OUTPUT=topk:K[:AXIS], OUTPUT=threshold:T or OUTPUT=sigmoid:T "
    "with T between 0 and 1";

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(Fault::bad_request,
              "--decision " + std::string(text) + " cannot be read: " + why + "; " + rules + ".");
}

std::vector<std::string_view> split_at_colons(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t colon = text.find(':');
    parts.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

template <class T>
T number(std::string_view text, std::string_view part) {
  T value{};
  const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (failed != std::errc() || end != part.data() + part.size())
    refuse(text, "'" + std::string(part) + "' is no number");
  return value;
}

bool has_axis(const Decision& decision) {
  return decision.rule == Decision::Rule::argmax || decision.rule == Decision::Rule::top_k;
}

std::size_t axis_of(const Decision& decision, const Shape& shape) {
  const std::int64_t axis = decision.axis.value_or(shape.size() > 1 ? 1 : 0);
  return normalised_axis(axis, shape.size(), "--decision " + decision.output + "=" + decision.text);
}

/// Both sides as the judge reads them, and how far b may lie from a at each element.
struct Judged {
  std::vector<double> a, b, e;
};

/// One total order for both sides: NaN greatest, +0 above -0, the lower index first of equals.
struct Before {
  const std::vector<double>& x;
  bool operator()(std::int64_t i, std::int64_t j) const {
    const double p = x[static_cast<std::size_t>(i)], q = x[static_cast<std::size_t>(j)];
    if (std::isnan(p) != std::isnan(q)) return std::isnan(p);
    if (p != q && !std::isnan(p)) return p > q;
    if (p == 0 && q == 0 && std::signbit(p) != std::signbit(q)) return std::signbit(q);
    return i < j;
  }
};

class Judge {
 public:
  Judge(const Decision& decision, const Shape& shape, Judged values)
      : decision_(decision), shape_(shape), v_(std::move(values)) {}

  void run(DecisionResult& result) {
    result_ = &result;
    result.smallest_margin = infinity;
    switch (decision_.rule) {
      case Decision::Rule::argmax:
        along_axis(1);
        break;
      case Decision::Rule::top_k:
        along_axis(decision_.k);
        break;
      case Decision::Rule::threshold:
        each(decision_.threshold);
        break;
      case Decision::Rule::sigmoid:
        each(std::log(decision_.threshold / (1 - decision_.threshold)));
        break;
    }
    if (result.decisions == 0) result.smallest_margin = 0;
  }

 private:
  double a(std::int64_t i) const { return v_.a[static_cast<std::size_t>(i)]; }
  double b(std::int64_t i) const { return v_.b[static_cast<std::size_t>(i)]; }
  double e(std::int64_t i) const { return v_.e[static_cast<std::size_t>(i)]; }

  void each(double threshold) {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(v_.a.size()); ++i) {
      DecisionPoint point;
      point.index = i;
      point.a = a(i);
      point.b = b(i);
      point.a_other = point.b_other = threshold;
      point.bound = e(i);
      settle(point, (a(i) > threshold) != (b(i) > threshold));
    }
  }

  void along_axis(std::int64_t k) {
    const std::size_t axis = axis_of(decision_, shape_);
    const std::int64_t extent = shape_[axis];
    const std::int64_t inner = element_count(shape_, axis + 1, shape_.size());
    const std::int64_t outer = element_count(shape_, 0, axis);
    std::vector<std::int64_t> by_a(static_cast<std::size_t>(extent)), by_b;
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t n = 0; n < inner; ++n) {
        // element [o, c, n], row-major
        for (std::int64_t c = 0; c < extent; ++c)
          by_a[static_cast<std::size_t>(c)] = (o * extent + c) * inner + n;
        by_b = by_a;
        one(by_a, by_b, k);
      }
  }

  /// The set of the k largest of these elements.
  void one(std::vector<std::int64_t>& by_a, std::vector<std::int64_t>& by_b, std::int64_t k) {
    const auto last = by_a.begin() + k, last_b = by_b.begin() + k;
    std::nth_element(by_a.begin(), last - 1, by_a.end(), Before{v_.a});
    std::nth_element(by_b.begin(), last_b - 1, by_b.end(), Before{v_.b});
    std::sort(by_a.begin(), last);
    std::sort(by_b.begin(), last_b);
    if (last == by_a.end()) {  // all of them are taken, whatever their values
      DecisionPoint point;
      point.index = point.other = by_a.front();
      point.a = point.a_other = a(point.index);
      point.b = point.b_other = b(point.index);
      ++result_->decisions;
      return;
    }
    // The pair nearest to changing places, by a's values and what may be added to them.
    const auto low = [&](std::int64_t i) { return lower(i); };
    const auto high = [&](std::int64_t i) { return upper(i); };
    DecisionPoint point;
    point.index =
        *std::min_element(by_a.begin(), last, [&](auto i, auto j) { return low(i) < low(j); });
    point.other =
        *std::max_element(last, by_a.end(), [&](auto i, auto j) { return high(i) < high(j); });
    const bool flips = !std::equal(by_a.begin(), last, by_b.begin());
    if (flips) {  // show what left and what came instead
      for (auto i = by_a.begin(); i != last; ++i)
        if (!std::binary_search(by_b.begin(), last_b, *i)) point.index = *i;
      for (auto i = by_b.begin(); i != last_b; ++i)
        if (!std::binary_search(by_a.begin(), last, *i)) point.other = *i;
    }
    point.a = a(point.index);
    point.b = b(point.index);
    point.a_other = a(point.other);
    point.b_other = b(point.other);
    point.bound = e(point.index) + e(point.other);
    settle(point, flips);
  }

  // A NaN is the greatest, and certain to be as long as the other side has it too.
  double lower(std::int64_t i) const {
    if (std::isnan(a(i))) return std::isnan(b(i)) ? infinity : -infinity;
    return a(i) - e(i);
  }
  double upper(std::int64_t i) const {
    if (std::isnan(a(i)) || std::isnan(b(i))) return infinity;
    return a(i) + e(i);
  }

  void settle(DecisionPoint point, bool flips) {
    ++result_->decisions;
    point.margin = point.a == point.a_other ? 0 : std::fabs(point.a - point.a_other);
    point.flipped = flips;
    // A NaN on both sides decides alike; on one side, nothing is certain.
    const bool nan_a = std::isnan(point.a) || std::isnan(point.a_other);
    const bool nan_b = std::isnan(point.b) || std::isnan(point.b_other);
    if (nan_a || nan_b) point.margin = 0;
    // A tie without any error is the same tie on both sides.
    const bool near = point.bound > 0 && !(point.margin > point.bound);
    const bool could = !flips && (nan_a != nan_b || (!nan_a && near));
    result_->flipped += flips;
    result_->could_flip += could;
    result_->smallest_margin = std::min(result_->smallest_margin, point.margin);
    if (!flips && !could) return;
    auto& kept = result_->points;
    const auto nearer = [](const DecisionPoint& p, const DecisionPoint& q) {
      if (p.flipped != q.flipped) return p.flipped;
      return p.margin - p.bound < q.margin - q.bound;
    };
    kept.insert(std::upper_bound(kept.begin(), kept.end(), point, nearer), point);
    if (kept.size() > most_points) kept.pop_back();
  }

  const Decision& decision_;
  const Shape& shape_;
  Judged v_;
  DecisionResult* result_ = nullptr;
};

std::vector<double> doubles(const Tensor& tensor) {
  const Tensor wide = tensor.type().type == Type::float64 ? tensor : to_float64(tensor);
  const auto values = wide.values<double>();
  return {values.begin(), values.end()};
}

DecisionResult named(const Decision& decision) {
  DecisionResult result;
  result.output = decision.output;
  result.rule = decision.text;
  return result;
}

}  // namespace

Decision parse_decision(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string_view::npos || equals == 0) refuse(text, "it names no output and rule");
  Decision decision;
  decision.output = std::string(text.substr(0, equals));
  decision.text = std::string(text.substr(equals + 1));
  const std::vector<std::string_view> parts = split_at_colons(text.substr(equals + 1));
  const auto expect = [&](std::size_t least, std::size_t most) {
    if (parts.size() < least || parts.size() > most)
      refuse(text, "'" + std::string(parts[0]) + "' takes other numbers behind it");
  };
  if (parts[0] == "argmax") {
    expect(1, 2);
    if (parts.size() == 2) decision.axis = number<std::int64_t>(text, parts[1]);
  } else if (parts[0] == "topk") {
    expect(2, 3);
    decision.rule = Decision::Rule::top_k;
    decision.k = number<std::int64_t>(text, parts[1]);
    if (decision.k < 1) refuse(text, "K must be 1 or more");
    if (parts.size() == 3) decision.axis = number<std::int64_t>(text, parts[2]);
  } else if (parts[0] == "threshold" || parts[0] == "sigmoid") {
    expect(2, 2);
    decision.threshold = number<double>(text, parts[1]);
    const bool sigmoid = parts[0] == "sigmoid";
    decision.rule = sigmoid ? Decision::Rule::sigmoid : Decision::Rule::threshold;
    if (!std::isfinite(decision.threshold)) refuse(text, "T must be finite");
    if (sigmoid && !(decision.threshold > 0 && decision.threshold < 1))
      refuse(text, "a sigmoid lies between 0 and 1");
  } else {
    refuse(text, "'" + std::string(parts[0]) + "' is no rule");
  }
  return decision;
}

void check_decisions(std::span<const Decision> decisions, const Graph& graph) {
  std::vector<std::string> names;
  for (const TensorId id : graph.outputs) names.push_back(graph.tensor(id).name);
  for (const Decision& decision : decisions) {
    const auto found = std::find(names.begin(), names.end(), decision.output);
    if (found == names.end())
      throw Error(Fault::bad_request, "--decision " + decision.output + "=" + decision.text +
                                          ": the network has no output '" + decision.output +
                                          "'; it has " + listed(names) +
                                          did_you_mean(decision.output, names));
    const TensorType& type =
        graph.tensor(graph.outputs[static_cast<std::size_t>(found - names.begin())]).type;
    if (type.type != Type::float32)
      throw Error(Fault::bad_request, "--decision " + decision.output + "=" + decision.text +
                                          ": the output is " + to_string(type) +
                                          ", and only float32 ones have margins.");
    if (!has_axis(decision)) continue;
    const std::size_t rank = type.shape.size();
    const std::int64_t axis = decision.axis.value_or(rank > 1 ? 1 : 0);
    if (axis < -static_cast<std::int64_t>(rank) || axis >= static_cast<std::int64_t>(rank))
      throw Error(Fault::bad_request, "--decision " + decision.output + "=" + decision.text +
                                          ": the output is " + to_string(type) +
                                          " and has no axis " + std::to_string(axis) + ".");
    const std::int64_t extent = type.shape[axis_of(decision, type.shape)];
    if (decision.k > extent)
      throw Error(Fault::bad_request, "--decision " + decision.output + "=" + decision.text +
                                          ": axis " + std::to_string(axis) + " of the output has " +
                                          std::to_string(extent) + " elements.");
  }
}

DecisionResult judge_decision(const Decision& decision, const Tensor& a, const Tensor& b,
                              const Tensor* magnitude, const Allowance& allowance) {
  DecisionResult result = named(decision);
  result.shape = to_string(a.shape());
  if (has_axis(decision)) result.axis = static_cast<int>(axis_of(decision, a.shape()));
  result.bound_coefficient = allowance.coefficient;
  Judged values{doubles(a), doubles(b), {}};
  for (std::size_t i = 0; i < values.a.size(); ++i) {
    const double x = values.a[i], y = values.b[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double error = std::fabs(y - x);
    result.largest_error = std::max(result.largest_error, std::isnan(error) ? infinity : error);
  }
  values.e.assign(values.a.size(), result.largest_error);
  if (magnitude != nullptr) {
    const std::vector<double> m = doubles(*magnitude);
    for (std::size_t i = 0; i < m.size(); ++i) {
      const double bound = allowance.coefficient * m[i] + allowance.underflow;
      values.e[i] += std::isnan(bound) ? infinity : bound;
      result.largest_bound = std::max(result.largest_bound, bound);
    }
  }
  Judge(decision, a.shape(), std::move(values)).run(result);
  return result;
}

bool names_output(const Graph& graph, const Decision& decision, TensorId id) {
  return graph.tensor(id).name == decision.output &&
         std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
}

std::vector<DecisionResult> undecided(std::span<const Decision> decisions) {
  std::vector<DecisionResult> results;
  for (const Decision& decision : decisions) {
    results.push_back(named(decision));
    results.back().not_judged = "the output was not compared";
  }
  return results;
}

}  // namespace parity
