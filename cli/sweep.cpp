#include "compare/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/model_source.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/report_files.hpp"
#include "cli/version.hpp"
#include "model/text.hpp"

namespace parity::cli {
namespace {

struct Options {
  ModelOptions model;
  ExecutionOptions execution;
  std::string a = "cpu:fp32", b;
  std::vector<std::string> axes, reports;
  std::optional<double> tolerance;
  bool as_json = false;
  std::string command;  ///< the whole line, to run it again
};

/// Which option of a diff an axis stands for; its values tell.
enum class Kind { extent, shape, side_a, side_b, input };
struct Axis {
  Kind kind;
  SweepAxis is;
};

constexpr std::size_t most_points = 1000;

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

bool is_shape(const std::string& text) {
  return text.find_first_not_of("0123456789x") == std::string::npos &&
         text.find('x') != std::string::npos && text.front() != 'x' && text.back() != 'x';
}

bool is_spec_start(const std::string& text) {
  return text.rfind("cpu:", 0) == 0 || text.rfind("cuda:", 0) == 0 ||
         text.rfind("capture:", 0) == 0;
}

/// Values apart at commas; a spec's own clauses, which commas separate as well, stay with it.
std::vector<std::string> split_values(const std::string& text, bool specs) {
  std::vector<std::string> values;
  std::size_t from = 0;
  while (from <= text.size()) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    std::string piece = text.substr(from, end - from);
    if (specs && !values.empty() && !is_spec_start(piece))
      values.back() += "," + piece;
    else
      values.push_back(std::move(piece));
    from = end + 1;
  }
  return values;
}

/// Throws what is wrong with a value whatever the model is.
void check_value(Kind kind, const std::string& value) {
  switch (kind) {
    case Kind::extent:
    case Kind::shape:
      for (const std::int64_t extent : parse_shape(value))
        if (kind == Kind::extent && extent < 1)
          throw Error(Fault::bad_request, "an extent must be at least 1.");
      break;
    case Kind::side_a:
    case Kind::side_b:
      parse_spec(value);
      break;
    case Kind::input:
      // What a file holds is asked at its point; a generator or the lack of a file is known now.
      if (!std::filesystem::exists(value)) InputRequests({&value, 1});
      break;
  }
}

Axis parse_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto refuse = [&](const std::string& why) {
    return Error(Fault::bad_request,
                 "--axis " + shown(text) + " " + why +
                     "; write --axis NAME=V1,V2,… with a named extent (seq=1,10,500), a shape "
                     "(image=1x3x32x32,1x3x64x64), input=GENERATOR|FILE,… or b=SPEC,SPEC.");
  };
  if (equals == std::string::npos || equals == 0) throw refuse("has no NAME=");
  const std::string name = text.substr(0, equals), rest = text.substr(equals + 1);
  const auto refuse_value = [&](const std::string& value, const std::string& why) {
    return refuse("has the value " + shown(value) + ", " + why);
  };
  const bool side = (name == "a" || name == "b") && is_spec_start(rest);
  Axis axis{Kind::extent, {name, split_values(rest, side)}};
  std::vector<std::string>& values = axis.is.values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].empty()) throw refuse("has an empty value in place " + std::to_string(i + 1));
    if (std::find(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(i), values[i]) !=
        values.begin() + static_cast<std::ptrdiff_t>(i))
      throw refuse("has the value " + shown(values[i]) + " twice");
  }
  if (side)
    axis.kind = name == "a" ? Kind::side_a : Kind::side_b;
  else if (name == "input" && !std::all_of(values.begin(), values.end(), is_number))
    axis.kind = Kind::input;
  else if (is_shape(values.front()))
    axis.kind = Kind::shape;
  else if (!is_number(values.front()))
    throw refuse_value(values.front(), is_spec_start(values.front())
                                           ? "a side, but a side's axis is called a or b"
                                       : name == "a" || name == "b"
                                           ? "which is no side: one begins with cpu: or cuda:"
                                           : "which is neither an extent nor a shape");
  for (const std::string& value : values) {
    const bool fits = axis.kind == Kind::extent  ? is_number(value)
                      : axis.kind == Kind::shape ? is_shape(value)
                                                 : true;
    if (!fits)
      throw refuse_value(value, axis.kind == Kind::extent
                                    ? "which is no extent as those before it are"
                                    : "which is no shape as those before it are");
    try {
      check_value(axis.kind, value);
    } catch (const Error& error) {
      if (error.fault() != Fault::bad_request && error.fault() != Fault::bad_input) throw;
      throw Error(error.fault(),
                  "--axis " + name + "=" + value + " cannot be used: " + error.what());
    }
  }
  return axis;
}

/// The options of the diff at one point.
struct Setting {
  ModelOptions model;
  std::string a, b;
};
Setting setting_at(const Options& options, const std::vector<Axis>& axes,
                   const std::vector<std::size_t>& at) {
  Setting s{options.model, options.a, options.b};
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const std::string& value = axes[k].is.values[at[k]];
    const std::string named = axes[k].is.name + "=" + value;
    switch (axes[k].kind) {
      case Kind::extent:
        s.model.dims.push_back(named);
        s.model.asked_by[axes[k].is.name] = "--axis " + named;
        break;
      case Kind::shape:
        s.model.shapes.push_back(named);
        s.model.asked_by[axes[k].is.name] = "--axis " + named;
        break;
      case Kind::input:
        s.model.inputs.push_back(value);
        break;
      case Kind::side_a:
        s.a = value;
        break;
      case Kind::side_b:
        s.b = value;
        break;
    }
  }
  return s;
}

/// The model of the last point; the next one may differ in its sides alone.
struct LastModel {
  ModelOptions options;
  std::optional<LoadedModel> loaded;

  LoadedModel& at(const ModelOptions& wanted, const Processor& processor,
                  const Execution& execution) {
    if (!loaded || !(options == wanted)) {
      loaded.reset();  // before another takes memory
      loaded = load_model(wanted, processor, execution);
      options = wanted;
    }
    return *loaded;
  }
};

SweepPoint diff_at(const Setting& setting, const Options& options, const Processor& processor,
                   const Execution& execution, LastModel& last, ProgressLine& line,
                   const std::string& place) {
  const auto begin = std::chrono::steady_clock::now();
  const Spec spec_a = parse_spec(setting.a), spec_b = parse_spec(setting.b);
  Computing a{open_backend(spec_a, processor), {}}, b{open_backend(spec_b, processor), {}};
  LoadedModel& model = last.at(setting.model, processor, execution);
  a.plan = plan_for(spec_a, model.graph, model.stages, *a.backend);
  b.plan = plan_for(spec_b, model.graph, model.stages, *b.backend);
  const PredictedMemory predicted =
      predicted_peak_bytes(model.graph, a.plan, b.plan, execution.threads);
  require_memory(predicted.packed + predicted.values, "the diff of " + model.graph.name);
  if (model.inputs.empty()) model.make_inputs();
  const std::vector<Tensor> inputs = model.tensors();
  std::vector<std::string> names;
  for (const BoundInput& input : model.inputs) names.push_back(input.name);
  RunRecord record = diff({.graph = model.graph,
                           .stages = model.stages,
                           .a = side_of(a, processor, execution, spec_a),
                           .b = side_of(b, processor, execution, spec_b),
                           .referee = {*processor.oracle, *processor.backend, execution},
                           .inputs = inputs,
                           .tolerance = options.tolerance,
                           .observer =
                               [&](Progress progress) {
                                 if (!progress.stage.empty())
                                   progress.stage = place + progress.stage;
                                 line.show(progress);
                               },
                           .attribute = attribute_none});
  record.exit_code = exit_code_of(record);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  record.seconds = seconds.count();
  return point_of(record, names, inputs);
}

ExitCode sweep_command(const Options& options) {
  if (options.axes.empty())
    throw Error(Fault::bad_request,
                fmt::format("`sweep` was not told what to vary: --axis is missing. Try\n"
                            "  paritylab sweep {0} --b cpu:tf32@sm_90 --axis input=normal:7,zeros\n"
                            "  paritylab sweep {0} --axis b=cpu:tf32@sm_80,cpu:tf32@sm_90",
                            shell_quoted(options.model.model)));
  std::vector<Axis> axes;
  SweepRecord record;
  bool b_given = !options.b.empty();
  for (const std::string& text : options.axes) {
    axes.push_back(parse_axis(text));
    for (const SweepAxis& other : record.axes)
      if (other.name == axes.back().is.name)
        throw Error(Fault::bad_request, "--axis " + other.name + " is given twice; keep one.");
    const Kind kind = axes.back().kind;
    const std::string& name = axes.back().is.name;
    if (kind == Kind::side_b && b_given)
      throw Error(Fault::bad_request, "--b and --axis b both say what b is; keep one.");
    for (const std::vector<std::string>* fixed : {&options.model.dims, &options.model.shapes})
      for (const std::string& each : *fixed)
        if ((kind == Kind::extent || kind == Kind::shape) && each.rfind(name + "=", 0) == 0)
          throw Error(Fault::bad_request,
                      "--axis " + name + " varies what " + each + " fixes; drop one of the two.");
    b_given = b_given || kind == Kind::side_b;
    record.axes.push_back(axes.back().is);
  }
  if (!b_given)
    throw Error(Fault::bad_request,
                "`sweep` was not told what to compare with: give --b SPEC or --axis b=SPEC,SPEC.");
  const std::vector<std::vector<std::size_t>> all = combinations(record.axes);
  if (all.size() > most_points)
    throw Error(Fault::bad_request,
                fmt::format("the axes make {} points, and a sweep takes at most {}; drop values.",
                            all.size(), most_points));
  for (const auto& at : all) {
    const Setting setting = setting_at(options, axes, at);
    for (const std::string& spec : {setting.a, setting.b})
      if (parse_spec(spec).backend == "capture")
        throw Error(Fault::bad_request,
                    "`sweep` runs both sides on every point, and the recording " + spec +
                        " cannot be run.");
  }
  require_distinct(options.model.model, options.reports, files_read(options.model));
  SweepFiles files(options.reports);
  const Execution execution = execution_of(options.execution);
  const Processor processor = open_processor();

  record.tool_version = version();
  record.tool_commit = commit();
  record.command = options.command;
  record.model = options.model.model;
  {
    ProgressLine line;
    LastModel last;
    for (const auto& at : all) {
      const std::string place =
          fmt::format("point {} of {}: ", record.points.size() + 1, all.size());
      SweepPoint point;
      try {
        point = diff_at(setting_at(options, axes, at), options, processor, execution, last, line,
                        place);
      } catch (const Error& error) {
        // A size that the model cannot take is an answer; a wrong command line is none.
        if (error.fault() == Fault::bad_request || error.fault() == Fault::internal) throw;
        point.refused = error.what();
        point.exit_code = static_cast<int>(exit_code(error.fault()));
      }
      point.at = at;
      record.points.push_back(std::move(point));
    }
  }
  conclude(record);
  files.write(record, options.as_json);
  return static_cast<ExitCode>(record.exit_code);
}

}  // namespace

void add_sweep(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "sweep", "Diff a network over sizes, inputs and sides; find from where on it differs.");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_side_options(*command, options->a, options->b);
  command
      ->add_option("--axis", options->axes,
                   "what to vary, NAME=V1,V2,...: a named extent, an input's shape, input, a or b; "
                   "repeatable, every combination is run")
      ->type_name("NAME=VALUES")
      ->allow_extra_args(false);
  command
      ->add_option("--tolerance", options->tolerance,
                   "largest |b - a| of an output, absolute; beyond it the exit code is 1")
      ->type_name("T");
  command
      ->add_option("--report", options->reports,
                   "write all points as .html or .json; - is JSON on standard output; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command->add_flag("--json", options->as_json, "as JSON");
  add_execution_options(*command, options->execution);
  command->footer(
      "An axis of numbers sets a named extent as --dim does, one of shapes the input of its name.\n"
      "Tells from which value on the outputs differ and which stage begins it, and warns of "
      "outputs\n"
      "that do not depend on an input or equal it.\n"
      "Examples:\n"
      "  paritylab sweep model.onnx --b cpu:tf32@sm_90 --axis seq=1,10,500,1000,1009\n"
      "  paritylab sweep model.onnx --axis b=cpu:tf32@sm_80,cpu:tf32@sm_90 --axis batch=1,2,8\n"
      "  paritylab sweep model.onnx --b cuda:fp32 --axis input=normal:7,zeros,frame.npz --report "
      "s.html\n"
      "Exit codes: the gravest of the points, 5 · 3 · 1 · 4 · 0, each as in `diff`; 2 usage");
  command->callback([&invocation, options] {
    options->command = invocation.command_line;
    invocation.job = [options] { return sweep_command(*options); };
  });
}

}  // namespace parity::cli
