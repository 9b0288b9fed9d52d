#pragma once
// The name of the function at an offset of an ELF file, for error messages. dladdr knows exported functions only;
// users' tasks are mostly static or in the program itself, which the file's own symbol table names.

#include <cstdint>
#include <string>

namespace manta::task {

/// Demangled, without template result type and parameters ("Score", "app::Train"); "" when the file is stripped or not
/// readable. Reads the file: slow (milliseconds), for errors only. Any thread.
std::string SymbolName(const std::string& elf_path, std::uint64_t offset);

}  // namespace manta::task
