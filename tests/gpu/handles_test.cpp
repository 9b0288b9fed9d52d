#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

#include <manta/gpu/stream_view.hpp>

#include "gpu/fake/fake_backend.hpp"
#include "gpu/handles/event.hpp"
#include "gpu/handles/stream.hpp"
#include "gpu/memory/device_memory.hpp"

namespace manta::gpu {
namespace {

static_assert(!std::is_copy_constructible_v<Stream> && std::is_nothrow_move_constructible_v<Stream>);
static_assert(!std::is_copy_constructible_v<Event> && std::is_nothrow_move_assignable_v<Event>);
static_assert(!std::is_copy_constructible_v<DeviceMemory> && std::is_nothrow_move_constructible_v<DeviceMemory>);

TEST(Stream, MovesItsHandle) {
  FakeBackend backend;
  Stream first(backend, 0);
  const StreamHandle handle = first.handle();

  Stream second(std::move(first));
  Stream third(backend, 1);
  third = std::move(second);

  EXPECT_EQ(third.handle(), handle);
  EXPECT_FALSE(first.handle().valid());
  EXPECT_EQ(third.device(), 0);
  third.Synchronize();
}

TEST(Stream, ClosesOnce) {
  FakeBackend backend;
  Stream stream(backend, 0);

  stream.Close();
  stream.Close();

  EXPECT_FALSE(stream.handle().valid());
}

TEST(Event, MovesItsHandle) {
  FakeBackend backend;
  Event first(backend, 0);
  const EventHandle handle = first.handle();

  Event second(std::move(first));

  EXPECT_EQ(second.handle(), handle);
  EXPECT_FALSE(first.handle().valid());
  EXPECT_TRUE(second.Query());
}

TEST(DeviceMemory, GivesItsBytesBackOnce) {
  FakeBackend backend({.devices = 1, .memory_bytes = 1000});
  {
    DeviceMemory first(backend, 0, 600);
    DeviceMemory second(std::move(first));
    EXPECT_EQ(first.size_bytes(), 0u);
    EXPECT_EQ(second.size_bytes(), 600u);
    DeviceMemory third(backend, 0, 300);
    third = std::move(second);
    EXPECT_EQ(third.size_bytes(), 600u);
    EXPECT_EQ(third.device(), 0);
  }

  EXPECT_EQ(backend.GetMemoryInfo(0).free_bytes, 1000u);
}

TEST(StreamView, TurnsIntoWhatCudaCallsAStream) {
  FakeBackend backend;
  Stream stream(backend, 0);

  CUstream_st* const native = stream.view();

  EXPECT_EQ(native, stream.handle().native);
  EXPECT_TRUE(StreamView().IsDefault());
  EXPECT_FALSE(stream.view().IsDefault());
}

}  // namespace
}  // namespace manta::gpu
