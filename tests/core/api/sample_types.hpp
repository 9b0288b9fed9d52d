#pragma once
// Types as users write them: one for each form of serialization.

#include <manta/serialize.hpp>

#include <memory>
#include <string>
#include <vector>

namespace sample {

struct Empty {};
struct Point {
  double x, y;
};

/// A graph through shared_ptr.
struct Node {
  std::string name;
  std::vector<std::shared_ptr<Node>> children;
  template <class A>
  void serialize(A& archive) { archive(name, children); }
};

/// Polymorphic.
struct Shape {
  virtual ~Shape() = default;
  virtual double Area() const = 0;
};
struct Circle : Shape {
  Circle() = default;
  explicit Circle(double r) : radius(r) {}
  double Area() const override { return 3 * radius * radius; }
  template <class A>
  void serialize(A& archive) { archive(radius); }
  double radius = 0;
};
struct Square : Shape {
  Square() = default;
  explicit Square(double s) : side(s) {}
  double Area() const override { return side * side; }
  template <class A>
  void serialize(A& archive) { archive(side); }
  double side = 0;
};
struct Unregistered : Shape {
  double Area() const override { return 0; }
};

struct PlainWithSerialize {
  int value = 0;
  template <class A>
  void serialize(A&) { throw value; }
};

struct Versioned {
  std::string value;
  std::uint32_t loaded_version = 0;
  template <class A>
  void save(A& archive, std::uint32_t) const { archive(value); }
  template <class A>
  void load(A& archive, std::uint32_t version) {
    archive(value);
    loaded_version = version;
  }
};

class Hidden {
 public:
  Hidden() = default;
  explicit Hidden(int value) : value_(value) {}
  int value() const { return value_; }

 private:
  friend class cereal::access;
  template <class A>
  void serialize(A& archive) { archive(value_, text_); }
  int value_ = 0;
  std::string text_ = "not plain";
};

struct SavesAndLoads {
  std::string text;
  template <class A>
  void save(A& archive) const { archive(text + " saved"); }
  template <class A>
  void load(A& archive) {
    archive(text);
    text += " loaded";
  }
};

struct Outside {
  std::string name;
  int count = 0;
};
template <class A>
void serialize(A& archive, Outside& outside) { archive(outside.name, outside.count); }

struct Minimal {
  int value = 0;
  std::string text = "not plain";
  template <class A>
  int save_minimal(const A&) const { return value; }
  template <class A>
  void load_minimal(const A&, const int& from) { value = from; }
};

struct Base {
  std::string name;
  template <class A>
  void serialize(A& archive) { archive(name); }
};
struct Inherits : Base {
  Inherits() = default;
  Inherits(int number, std::string base) : Base{std::move(base)}, own("own " + std::to_string(number)) {}
  template <class A>
  void serialize(A& archive) { archive(cereal::base_class<Base>(this), own); }
  std::string own;
};

class NoDefault {
 public:
  explicit NoDefault(int value) : value_(std::to_string(value)) {}
  int value() const { return std::stoi(value_); }
  template <class A>
  void serialize(A& archive) { archive(value_); }
  template <class A>
  static void load_and_construct(A& archive, cereal::construct<NoDefault>& construct) {
    std::string value;
    archive(value);
    construct(value.empty() ? 0 : static_cast<int>(value[0] - '0'));
  }

 private:
  std::string value_;
};

class PrivateDefault {
 public:
  static PrivateDefault Make(int value) {
    PrivateDefault made;
    made.value_.assign(static_cast<std::size_t>(value), 'x');
    return made;
  }
  int value() const { return static_cast<int>(value_.size()); }

 private:
  friend class cereal::access;
  PrivateDefault() = default;
  template <class A>
  void serialize(A& archive) { archive(value_); }
  std::string value_;
};

}  // namespace sample

CEREAL_CLASS_VERSION(sample::Versioned, 3)
CEREAL_REGISTER_TYPE(sample::Circle)
CEREAL_REGISTER_TYPE(sample::Square)
CEREAL_REGISTER_POLYMORPHIC_RELATION(sample::Shape, sample::Circle)
CEREAL_REGISTER_POLYMORPHIC_RELATION(sample::Shape, sample::Square)
