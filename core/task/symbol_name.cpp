#include "core/task/symbol_name.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <cstring>
#include <span>

namespace manta::task {
namespace {

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Whether the word `operator` stands at `at`.
bool IsOperator(const std::string& name, std::size_t at) {
  return name.compare(at, 8, "operator") == 0 && (at == 0 || !IsWord(name[at - 1])) &&
         (at + 8 == name.size() || !IsWord(name[at + 8]));
}

/// The position after the bracket that closes the one at `open`; brackets of all kinds are counted as one.
std::size_t AfterBracket(const std::string& name, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < name.size(); ++i) {
    const char c = name[i];
    const bool arrow = c == '>' && i > 0 && name[i - 1] == '-';
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if ((c == '>' && !arrow) || c == ')' || c == '}' || c == ']') {
      if (--depth == 0) return i + 1;
    }
  }
  return name.size();
}

/// The thunk of a lambda has the lambda's type as its first template argument, which says where it stands.
std::string FirstArgumentOfThunk(const std::string& name) {
  for (const std::string prefix :
       {"manta::detail::TaskThunk<", "manta::detail::MethodThunk<", "manta::detail::ActorThunk<"}) {
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    std::size_t end = prefix.size();
    while (end < name.size() && name[end] != ',' && name[end] != '>')
      end = std::strchr("<({[", name[end]) != nullptr ? AfterBracket(name, end) : end + 1;
    return name.substr(prefix.size(), end - prefix.size());
  }
  return {};
}

/// "double app::Score<int>(Table const&)" -> "app::Score<int>": without the parameters, and the result type before the
/// name. "app::Run(int)::{lambda(int)#1}::operator()(int) const" -> "app::Run(int)::{lambda(int)#1}::operator()".
std::string Shorten(const std::string& name) {
  if (std::string thunk = FirstArgumentOfThunk(name); !thunk.empty()) return thunk;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size();) {
    if (IsOperator(name, i)) {
      i += 8;
      if (name.compare(i, 2, "()") == 0) i += 2;
      i = name.find('(', i);
      return name.substr(begin, i == std::string::npos ? i : i - begin);
    }
    if (name[i] == '(') {
      const std::size_t after = AfterBracket(name, i);
      const bool scope = name.compare(after, 2, "::") == 0;  // of a local class or lambda, or "(anonymous namespace)"
      if (!scope) return name.substr(begin, i - begin);
      i = after;
    } else if (name[i] == '<' || name[i] == '{' || name[i] == '[') {
      i = AfterBracket(name, i);
    } else {
      if (name[i] == ' ') begin = i + 1;
      ++i;
    }
  }
  return name.substr(begin);
}

/// A file as memory: only the pages that are looked at are read.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    struct stat about;
    if (::fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
      void* at = ::mmap(nullptr, static_cast<std::size_t>(about.st_size), PROT_READ, MAP_PRIVATE, file, 0);
      if (at != MAP_FAILED) bytes_ = {static_cast<const char*>(at), static_cast<std::size_t>(about.st_size)};
    }
    ::close(file);
  }
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const char> bytes() const { return bytes_; }

 private:
  std::span<const char> bytes_;
};

}  // namespace

std::string SymbolName(const std::string& elf_path, std::uint64_t offset) {
  const MappedFile file(elf_path);
  const std::span<const char> bytes = file.bytes();
  ElfW(Ehdr) header;
  if (bytes.size() < sizeof(header)) return {};
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return {};
  auto section = [&](std::size_t index, ElfW(Shdr) & out) {
    const std::size_t at = header.e_shoff + index * sizeof(out);
    if (at + sizeof(out) > bytes.size()) return false;
    std::memcpy(&out, bytes.data() + at, sizeof(out));
    return out.sh_type == SHT_NOBITS || out.sh_offset + out.sh_size <= bytes.size();
  };
  for (const unsigned wanted : {static_cast<unsigned>(SHT_SYMTAB), static_cast<unsigned>(SHT_DYNSYM)}) {
    for (std::size_t i = 0; i < header.e_shnum; ++i) {
      ElfW(Shdr) symbols, strings;
      if (!section(i, symbols) || symbols.sh_type != wanted || !section(symbols.sh_link, strings)) continue;
      for (std::size_t s = 0; s + sizeof(ElfW(Sym)) <= symbols.sh_size; s += sizeof(ElfW(Sym))) {
        ElfW(Sym) symbol;
        std::memcpy(&symbol, bytes.data() + symbols.sh_offset + s, sizeof(symbol));
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
        const bool inside =
            offset == symbol.st_value || (offset > symbol.st_value && offset < symbol.st_value + symbol.st_size);
        if (!inside || symbol.st_name >= strings.sh_size) continue;
        const char* mangled = bytes.data() + strings.sh_offset + symbol.st_name;
        int status = 0;
        char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
        std::string name = status == 0 && text != nullptr ? text : mangled;
        std::free(text);
        return Shorten(name);
      }
    }
  }
  return {};
}

}  // namespace manta::task
