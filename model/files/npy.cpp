#include "model/files/npy.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/error.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as they lie");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t longest_header = 10'000;  // NumPy's own limit
constexpr std::size_t largest_rank = 32;        // NumPy's own limit

/// An element type of the file: kind 'f', 'i', 'u' or 'b', bytes per element, byte order.
struct Element {
  char kind = 'f';
  std::size_t width = 4;
  bool swapped = false;
};

/// "int32", as NumPy calls it.
std::string type_name(const Element& element) {
  const char* const kind = element.kind == 'f'   ? "float"
                           : element.kind == 'i' ? "int"
                           : element.kind == 'u' ? "uint"
                                                 : "bool";
  return element.kind == 'b' ? kind : kind + std::to_string(8 * element.width);
}

struct Header {
  Element element;
  bool fortran = false;
  Shape shape;
};

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw Error(Fault::bad_input, "cannot read " + what + ": " + why);
}

/// The header's Python dict by its grammar: three keys in any order, each once, nothing evaluated.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& what) : text_(text), what_(what) {}

  Header parse() {
    Header header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !std::exchange(descr, true)) {
        header.element = element();
      } else if (key == "fortran_order" && !std::exchange(order, true)) {
        header.fortran = boolean();
      } else if (key == "shape" && !std::exchange(shape, true)) {
        header.shape = tuple();
      } else {
        refuse(what_, "its header has the key " + shown(key) + " twice or where none belongs");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip();
    if (!text_.empty()) refuse(what_, "its header goes on after its end");
    if (!descr || !order || !shape) refuse(what_, "its header lacks descr, fortran_order or shape");
    return header;
  }

 private:
  void skip() {
    while (!text_.empty() &&
           (text_[0] == ' ' || text_[0] == '\n' || text_[0] == '\t' || text_[0] == '\r'))
      text_.remove_prefix(1);
  }
  bool accept(char c) {
    skip();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      refuse(what_,
             std::string("its header lacks a '") + c + "' before " + shown(text_.substr(0, 20)));
  }
  std::string string() {
    skip();
    const char quote = text_.empty() ? '\0' : text_[0];
    const std::size_t end =
        quote == '\'' || quote == '"' ? text_.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos)
      refuse(what_, "its header has no text at " + shown(text_.substr(0, 20)));
    const std::string value(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return value;
  }
  bool boolean() {
    skip();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    refuse(what_, "its fortran_order is neither True nor False");
  }
  Element element() {
    skip();
    if (!text_.empty() && text_[0] == '[')
      refuse(what_, "it holds structured elements; save each field as an array of its own");
    const std::string descr = string();
    if (descr.size() < 3 || std::string_view("<>|=").find(descr[0]) == std::string_view::npos)
      refuse(what_, "its element type is " + shown(descr) + ", which the lab does not read");
    Element result;
    result.kind = descr[1];
    result.swapped = descr[0] == '>';
    const std::string width = descr.substr(2);
    const auto is = [&](std::string_view kinds, std::initializer_list<std::string_view> widths) {
      return kinds.find(result.kind) != std::string_view::npos &&
             std::find(widths.begin(), widths.end(), width) != widths.end();
    };
    if (result.kind == 'O')
      refuse(what_,
             "it holds pickled Python objects, which the lab never runs; save plain arrays "
             "(allow_pickle=False)");
    if (!is("f", {"2", "4", "8"}) && !is("iu", {"1", "2", "4", "8"}) && !is("b", {"1"}))
      refuse(what_, "its element type is " + shown(descr) +
                        ", which the lab does not read; it reads f2, f4, f8, "
                        "integers and bool");
    result.width = static_cast<std::size_t>(width[0] - '0');
    return result;
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip();
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0 || shape.size() == largest_rank)
        refuse(what_, "its shape is no tuple of up to 32 extents at " + shown(text_.substr(0, 20)));
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      if (!text_.empty() && text_[0] == 'L') text_.remove_prefix(1);  // Python 2 wrote 3L
      shape.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view text_;
  const std::string& what_;
};

template <class Raw>
Raw swapped(Raw raw) {
  if constexpr (sizeof(Raw) == 1) return raw;
  if constexpr (sizeof(Raw) == 2) return __builtin_bswap16(raw);
  if constexpr (sizeof(Raw) == 4) return __builtin_bswap32(raw);
  if constexpr (sizeof(Raw) == 8) return __builtin_bswap64(raw);
}

/// Every float16 is a float32.
float from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 31U, fraction = half & 1023U;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (fraction << 13));
}

/// Where element i of the C order lies in the file: itself, or by Fortran strides.
class Order {
 public:
  explicit Order(const Header& header)
      : fortran_(header.fortran && header.shape.size() > 1), shape_(header.shape) {
    if (!fortran_) return;
    strides_.assign(shape_.size(), 1);
    for (std::size_t k = 1; k < shape_.size(); ++k) strides_[k] = strides_[k - 1] * shape_[k - 1];
  }
  /// Calls visit(position in the file) for each element in C order.
  template <class Visit>
  void each(std::size_t count, Visit visit) const {
    if (!fortran_) {
      for (std::size_t i = 0; i < count; ++i) visit(i);
      return;
    }
    Shape index(shape_.size(), 0);
    std::int64_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      visit(static_cast<std::size_t>(at));
      for (std::size_t k = shape_.size(); k-- > 0;) {
        at += strides_[k];
        if (++index[k] < shape_[k]) break;
        at -= strides_[k] * shape_[k];
        index[k] = 0;
      }
    }
  }
  bool plain() const { return !fortran_; }

 private:
  bool fortran_;
  Shape shape_, strides_;
};

template <class Raw, class To, class Convert>
Tensor converted(const Header& header, const std::vector<std::byte>& bytes, Convert convert) {
  const std::size_t count = bytes.size() / sizeof(Raw);
  std::vector<To> values;
  values.reserve(count);
  Order(header).each(count, [&](std::size_t at) {
    Raw raw{};
    std::memcpy(&raw, bytes.data() + at * sizeof(Raw), sizeof(Raw));
    values.push_back(convert(header.element.swapped ? swapped(raw) : raw));
  });
  return Tensor::of(header.shape, std::move(values));
}

template <class Unsigned, class Signed>
Tensor integers(const Header& header, const std::vector<std::byte>& bytes,
                const std::string& what) {
  const bool is_signed = header.element.kind == 'i';
  return converted<Unsigned, std::int64_t>(header, bytes, [&](Unsigned raw) -> std::int64_t {
    if (is_signed) return static_cast<Signed>(raw);
    if constexpr (sizeof(Unsigned) == 8)
      if (raw > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        refuse(what, "an unsigned element, " + std::to_string(raw) + ", does not fit int64");
    return static_cast<std::int64_t>(raw);
  });
}

Tensor tensor_of(const Header& header, std::shared_ptr<std::vector<std::byte>> bytes,
                 const std::string& what) {
  const Element& element = header.element;
  // float32, float64 and int64 in C order lie as the lab holds them
  if (!element.swapped && Order(header).plain() && element.width >= 4 && element.kind != 'u' &&
      (element.kind == 'f' || element.width == 8)) {
    const Type type = element.kind == 'i'  ? Type::int64
                      : element.width == 4 ? Type::float32
                                           : Type::float64;
    const void* data = bytes->data();
    return Tensor({type, header.shape}, std::move(bytes), data);
  }
  switch (element.kind) {
    case 'f':
      if (element.width == 2) return converted<std::uint16_t, float>(header, *bytes, from_half);
      if (element.width == 4)
        return converted<std::uint32_t, float>(
            header, *bytes, [](std::uint32_t r) { return std::bit_cast<float>(r); });
      return converted<std::uint64_t, double>(
          header, *bytes, [](std::uint64_t r) { return std::bit_cast<double>(r); });
    case 'b':
      return converted<std::uint8_t, std::uint8_t>(header, *bytes, [&](std::uint8_t flag) {
        if (flag > 1) refuse(what, "a bool element is " + std::to_string(flag) + ", not 0 or 1");
        return flag;
      });
    default:
      switch (element.width) {
        case 1:
          return integers<std::uint8_t, std::int8_t>(header, *bytes, what);
        case 2:
          return integers<std::uint16_t, std::int16_t>(header, *bytes, what);
        case 4:
          return integers<std::uint32_t, std::int32_t>(header, *bytes, what);
        default:
          return integers<std::uint64_t, std::int64_t>(header, *bytes, what);
      }
  }
}

}  // namespace

NamedTensor read_npy(const ByteSource& source, std::uint64_t size, const std::string& what) {
  std::uint64_t used = 0;
  const auto take = [&](void* to, std::size_t count, const char* part) {
    if (used + count > size || source(to, count) != count)
      refuse(what, std::string("it ends inside its ") + part);
    used += count;
  };
  unsigned char start[8];
  take(start, sizeof start, "first bytes");
  if (std::memcmp(start, magic.data(), magic.size()) != 0) refuse(what, "it is no .npy file");
  const int version = start[6];
  if (version < 1 || version > 3)
    refuse(what, "its format version is " + std::to_string(version) + "; there are 1, 2 and 3");
  unsigned char length[4] = {};
  take(length, version == 1 ? 2 : 4, "header");
  const std::size_t header_length = length[0] | static_cast<std::size_t>(length[1]) << 8 |
                                    static_cast<std::size_t>(length[2]) << 16 |
                                    static_cast<std::size_t>(length[3]) << 24;
  if (header_length > longest_header)
    refuse(what, "its header has " + std::to_string(header_length) +
                     " bytes; the lab, like NumPy, reads up to 10000");
  std::string text(header_length, '\0');
  take(text.data(), text.size(), "header");
  const Header header = HeaderParser(text, what).parse();

  std::int64_t elements = 0;
  try {
    elements = element_count(header.shape);
  } catch (const Error& error) {
    refuse(what, error.what());
  }
  const std::uint64_t needed = static_cast<std::uint64_t>(elements) * header.element.width;
  if (needed != size - used)
    refuse(what, "its shape " + to_string(header.shape) + " needs " + std::to_string(needed) +
                     " bytes, but " + std::to_string(size - used) + " are there");
  auto bytes = std::make_shared<std::vector<std::byte>>();
  // grows with what really arrives, so that a lying size costs no more than the data behind it
  constexpr std::size_t step = std::size_t{1} << 24;
  while (bytes->size() < needed) {
    const std::size_t before = bytes->size();
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(needed - before, std::max(step, before)));
    bytes->resize(before + count);
    take(bytes->data() + before, count, "elements");
  }
  std::byte beyond{};
  if (source(&beyond, 1) != 0) refuse(what, "it goes on after its elements");
  NamedTensor read{{}, tensor_of(header, std::move(bytes), what), type_name(header.element)};
  if (read.declared == to_string(read.tensor.type().type)) read.declared.clear();
  return read;
}

NamedTensor parse_npy(std::span<const std::byte> bytes, const std::string& what) {
  std::size_t at = 0;
  const auto source = [&](void* to, std::size_t count) {
    const std::size_t got = std::min(count, bytes.size() - at);
    if (got > 0) std::memcpy(to, bytes.data() + at, got);
    at += got;
    return got;
  };
  return read_npy(source, bytes.size(), what);
}

NamedTensor read_npy(const std::filesystem::path& file) {
  const std::string what = shown(file.string());
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed))
    throw Error(Fault::io, "cannot read " + what + ": " +
                               (failed ? failed.message() : "it is no regular file"));
  const std::uintmax_t size = std::filesystem::file_size(file, failed);
  std::ifstream stream(file, std::ios::binary);
  if (failed || !stream) throw Error(Fault::io, "cannot read " + what + ": it cannot be opened");
  const auto source = [&](void* to, std::size_t count) {
    stream.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
    if (stream.bad())
      throw Error(Fault::io, "cannot read " + what + ": the system reported an error on the way");
    return static_cast<std::size_t>(stream.gcount());
  };
  return read_npy(source, size, what);
}

std::string npy_header(const TensorType& type) {
  const char* descr = "<f4";
  if (type.type == Type::float64) descr = "<f8";
  if (type.type == Type::int64) descr = "<i8";
  if (type.type == Type::boolean) descr = "|b1";
  std::string text = std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (";
  for (std::size_t k = 0; k < type.shape.size(); ++k)
    text += (k > 0 ? ", " : "") + std::to_string(type.shape[k]);
  text += type.shape.size() == 1 ? ",), }" : "), }";
  // magic, version and length are 10 bytes; elements start at a multiple of 64
  const std::size_t length = (10 + text.size() + 1 + 63) / 64 * 64 - 10;
  text.resize(length - 1, ' ');
  text += '\n';
  std::string header(magic);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(length & 0xFF);
  header += static_cast<char>(length >> 8);
  return header + text;
}

}  // namespace parity
