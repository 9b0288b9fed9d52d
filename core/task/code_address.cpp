#include "core/task/code_address.hpp"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <vector>

#include "core/base/check.hpp"
#include "core/task/symbol_name.hpp"

namespace manta::task {
namespace {

struct Module {
  std::string path;      // of the file
  std::string build_id;  // hex; empty where the linker made none
  std::uintptr_t base = 0, low = 0, high = 0;
};

// Written by ScanModules only, which runs when no other thread encodes or decodes.
std::vector<Module> modules;
std::string program_path;

std::string Hex(const unsigned char* bytes, std::size_t size) {
  std::string text;
  char two[3];
  for (std::size_t i = 0; i < size; ++i) {
    std::snprintf(two, sizeof(two), "%02x", bytes[i]);
    text += two;
  }
  return text;
}

std::string BuildId(const dl_phdr_info& info) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    if (info.dlpi_phdr[i].p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(info.dlpi_addr + info.dlpi_phdr[i].p_vaddr);
    const char* end = at + info.dlpi_phdr[i].p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof(note));
      const char* name = at + sizeof(note);
      const char* data = name + ((note.n_namesz + 3) & ~3u);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
        return Hex(reinterpret_cast<const unsigned char*>(data), note.n_descsz);
      at = data + ((note.n_descsz + 3) & ~3u);
    }
  }
  return {};
}

/// The kernel's page is no file; plugins that MPI and hwloc load for themselves may differ from rank to rank.
bool IsLeftOut(const std::string& path) {
  for (const char* part :
       {"linux-vdso", "linux-gate", "/mca_", "/openmpi/", "/pmix/", "/ucx/", "/hwloc/", "/libfabric/"})
    if (path.find(part) != std::string::npos) return true;
  return false;
}

int AddModule(dl_phdr_info* info, std::size_t, void* list) {
  Module module;
  const bool is_program = info->dlpi_name == nullptr || *info->dlpi_name == '\0';
  module.path = is_program ? program_path : info->dlpi_name;
  if (!is_program && IsLeftOut(module.path)) return 0;
  module.base = info->dlpi_addr;
  module.low = UINTPTR_MAX;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    module.low = std::min<std::uintptr_t>(module.low, info->dlpi_addr + header.p_vaddr);
    module.high = std::max<std::uintptr_t>(module.high, info->dlpi_addr + header.p_vaddr + header.p_memsz);
  }
  module.build_id = BuildId(*info);
  static_cast<std::vector<Module>*>(list)->push_back(std::move(module));
  return 0;
}

const Module* Find(std::uintptr_t address) {
  for (const Module& module : modules)
    if (address >= module.low && address < module.high) return &module;
  return nullptr;
}

std::string FileName(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

/// What stands for a module among ranks: its directory may differ between hosts, its contents may not. A program linked
/// without a build id is told by its size and the size of its loaded part.
std::string Identity(const Module& module) {
  std::string id = module.build_id;
  if (id.empty()) {
    std::ifstream file(module.path, std::ios::ate | std::ios::binary);
    id =
        "size-" + std::to_string(static_cast<long long>(file.tellg())) + "-" + std::to_string(module.high - module.low);
    if (file) {
      // Two programs of one size are told apart by their bytes (FNV-1a).
      file.seekg(0);
      std::uint64_t hash = 0xcbf29ce484222325ull;
      char block[65536];
      while (file.read(block, sizeof(block)) || file.gcount() > 0)
        for (std::streamsize i = 0; i < file.gcount(); ++i)
          hash = (hash ^ static_cast<unsigned char>(block[i])) * 0x100000001b3ull;
      id += "-" + std::to_string(hash);
    }
  }
  return FileName(module.path) + " " + id;
}

}  // namespace

void ScanModules() {
  char path[4096];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path) - 1);
  program_path.assign(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  std::vector<Module> found;
  dl_iterate_phdr(&AddModule, &found);
  // The program keeps number 0; libraries go by name, for their order in memory may differ.
  std::stable_sort(found.begin(), found.end(), [](const Module& a, const Module& b) {
    const bool a_program = a.path == program_path, b_program = b.path == program_path;
    if (a_program != b_program) return a_program;
    return FileName(a.path) < FileName(b.path);
  });
  modules = std::move(found);
}

std::string ModuleFingerprint() {
  std::string text;
  for (const Module& module : modules) text += Identity(module) + "\n";
  return text;
}

std::string ProgramName() {
  return modules.empty()
             ? program_path
             : program_path + " (build " +
                   (modules.front().build_id.empty() ? Identity(modules.front()) : modules.front().build_id) + ")";
}

std::uint64_t EncodeCode(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (std::size_t i = 0; i < modules.size(); ++i)
    if (at >= modules[i].low && at < modules[i].high)
      return (static_cast<std::uint64_t>(i) << 48) | (at - modules[i].base);
  throw UsageError(
      "a task's function lies in no module that was loaded at Init: link its library, or load it before Init");
}

const void* DecodeCode(std::uint64_t code) {
  const std::size_t index = code >> 48;
  if (index >= modules.size()) throw UsageError("a task names a module that this rank has not loaded");
  const std::uintptr_t address = modules[index].base + (code & 0xffffffffffffull);
  if (address < modules[index].low || address >= modules[index].high)
    throw UsageError("a task names a function outside of its module " + modules[index].path);
  return reinterpret_cast<const void*>(address);
}

std::string FunctionName(const void* address) {
  const Module* module = Find(reinterpret_cast<std::uintptr_t>(address));
  if (module == nullptr) return {};
  return SymbolName(module->path, reinterpret_cast<std::uintptr_t>(address) - module->base);
}

}  // namespace manta::task
