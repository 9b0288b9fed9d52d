#pragma once
// Functions as (module, offset): the same word names the same function in every process of the job, whatever the
// addresses at which the loader put the program and its shared libraries.
//
// A word is module << 48 | offset. Modules are numbered by name and build id, which all ranks agree on at Init.

#include <cstdint>
#include <string>

namespace manta::task {

/// Reads the process's modules anew. At Init, and after a dlopen. Not while other threads encode or decode.
void ScanModules();
/// A text that is equal in all ranks iff their modules are: name, build id and size of each. The first line is the
/// program's.
std::string ModuleFingerprint();
/// "/path/program (build id 1a2b...)": for the error message when ranks differ.
std::string ProgramName();

/// Throws UsageError for an address in no module (made by a JIT, or dlopened since).
std::uint64_t EncodeCode(const void* address);
/// Throws UsageError for a word that names no module of this process.
const void* DecodeCode(std::uint64_t code);

/// The name of the function at `address`, demangled, without its parameters; static ones too, from the program's symbol
/// table; "" if there is none.
std::string FunctionName(const void* address);

}  // namespace manta::task
