// What may be called on an actor, and what may make one.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Animal {
  virtual ~Animal() = default;
  virtual std::string Sound() const { return "..."; }
  std::string Twice() const { return Sound() + Sound(); }
  int calls = 0;
  int Count() { return ++calls; }
};
struct Named {
  std::string name = "nameless";
  std::string Name() const { return name; }
  void Rename(std::string to) { name = std::move(to); }
};
struct Dog : Animal, Named {
  Dog() = default;
  explicit Dog(const std::string& given) { name = given; }
  std::string Sound() const override { return "woof"; }
  int Overloaded(int x) { return x; }
  double Overloaded(double x) const { return x / 2; }
  int Quiet() noexcept { return 1; }
};

template <class T>
auto There() { return manta::Actor<T>().SetRank(manta::NumRanks() - 1); }

TEST(ActorMethods, MayBeVirtual) {
  const auto dog = There<Dog>().Remote();

  EXPECT_EQ(*manta::Get(dog.Task(&Animal::Sound).Remote()), "woof");
  EXPECT_EQ(*manta::Get(dog.Task(&Dog::Sound).Remote()), "woof");
}

TEST(ActorMethods, MayBeOfABase) {
  const auto dog = There<Dog>().Remote("rex");

  dog.Task(&Dog::Rename).Remote("max");  // of the second base: `this` is adjusted

  EXPECT_EQ(*manta::Get(dog.Task(&Animal::Twice).Remote()), "woofwoof");
  EXPECT_EQ(*manta::Get(dog.Task(&Named::Name).Remote()), "max");
  EXPECT_EQ(*manta::Get(dog.Task(&Animal::Count).Remote()), 1);
}

TEST(ActorMethods, MayBeOverloadedConstAndNoexcept) {
  const auto dog = There<Dog>().Remote();

  EXPECT_EQ(*manta::Get(dog.Task(static_cast<int (Dog::*)(int)>(&Dog::Overloaded)).Remote(7)), 7);
  EXPECT_EQ(*manta::Get(dog.Task(static_cast<double (Dog::*)(double) const>(&Dog::Overloaded)).Remote(7)), 3.5);
  EXPECT_EQ(*manta::Get(dog.Task(&Dog::Quiet).Remote()), 1);
}

struct Box {
  std::unique_ptr<std::string> held;
  explicit Box(std::unique_ptr<std::string> first) : held(std::move(first)) {}
  std::unique_ptr<std::string> Swap(std::unique_ptr<std::string> other) { return std::exchange(held, std::move(other)); }
  const std::string& Look() const { return *held; }
  std::vector<double> Large(int size) const { return std::vector<double>(static_cast<std::size_t>(size), 1.5); }
  std::size_t Measure(const std::vector<double>& values, std::string_view text) const { return values.size() + text.size(); }
};

TEST(ActorMethods, TakeAndReturnWhatCanOnlyBeMoved) {
  const auto box = There<Box>().Remote(std::make_unique<std::string>("first"));

  auto first = box.Task(&Box::Swap).Remote(std::make_unique<std::string>("second"));

  EXPECT_EQ(*manta::Take(std::move(first)), "first");
  EXPECT_EQ(*manta::Get(box.Task(&Box::Look).Remote()), "second");
}

TEST(ActorMethods, TakeAndReturnLargeValues) {
  const auto box = There<Box>().Remote(std::make_unique<std::string>("b"));
  const auto large = box.Task(&Box::Large).Remote(1'000'000);

  EXPECT_EQ(manta::Get(large)->size(), 1'000'000u);
  EXPECT_EQ(*manta::Get(box.Task(&Box::Measure).Remote(large, "four")), 1'000'004u);
  EXPECT_EQ(*manta::Get(box.Task(&Box::Measure).Remote(std::vector<double>(500'000), std::string(500'000, 'x'))), 1'000'000u);
}

// Factories, of every kind of result.
std::unique_ptr<Animal> MakeAnimal(const std::string& kind) {
  if (kind == "dog") return std::make_unique<Dog>();
  return std::make_unique<Animal>();
}
Dog* MakeDog(std::string name) { return new Dog(name); }
std::shared_ptr<Dog> ShareDog(std::string name) { return std::make_shared<Dog>(name); }
Dog DogItself(std::string name) { return Dog(name); }

TEST(ActorFactory, MayReturnABase) {
  const auto dog = manta::Actor(MakeAnimal).SetRank(manta::NumRanks() - 1).Remote("dog");
  const auto other = manta::Actor(MakeAnimal).SetRank(manta::NumRanks() - 1).Remote("fish");

  EXPECT_EQ(*manta::Get(dog.Task(&Animal::Sound).Remote()), "woof");
  EXPECT_EQ(*manta::Get(other.Task(&Animal::Sound).Remote()), "...");
}

TEST(ActorFactory, MayReturnPointersOrTheObject) {
  const auto check = [](auto factory) {
    const manta::ActorHandle<Dog> dog = manta::Actor(factory).SetRank(manta::NumRanks() - 1).Remote("rex");
    EXPECT_EQ(*manta::Get(dog.Task(&Dog::Name).Remote()), "rex");
  };

  check(MakeDog);
  check(ShareDog);
  check(DogItself);
  check([](std::string name) { return std::make_unique<Dog>(name + ""); });
}

TEST(ActorFactory, MayCaptureWhatIsPlain) {
  const int start = 41;
  const auto dog = manta::Actor([start] {
                     Dog made;
                     made.calls = start;
                     return made;
                   }).SetRank(manta::NumRanks() - 1).Remote();

  EXPECT_EQ(*manta::Get(dog.Task(&Dog::Count).Remote()), 42);
}

TEST(ActorFactory, GetsValuesOfRefs) {
  const auto dog = manta::Actor(MakeDog).Remote(manta::Task([] { return std::string("of a task"); }).Remote());

  EXPECT_EQ(*manta::Get(dog.Task(&Dog::Name).Remote()), "of a task");
}

}  // namespace
