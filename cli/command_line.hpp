#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace parity::cli {

/// The word as a shell reads it back: in single quotes when it holds anything unusual.
std::string shell_quoted(const std::string& word);

/// The command line that the program was started with, every word quoted as needed, the program as "paritylab".
std::string command_line(const CLI::App& program);

/// Keeps the words for command_line(). Call once, before parsing.
void remember_words(CLI::App& program, int count, const char* const* words);

}  // namespace parity::cli
