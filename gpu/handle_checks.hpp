#pragma once
// What every backend refuses before it asks its devices: the misuse that DeviceBackend's header names.

#include <cstddef>
#include <vector>

#include "core/base/check.hpp"
#include "core/ports/device_backend.hpp"

namespace manta::gpu {

inline void ExpectDevice(const std::vector<DeviceInfo>& devices, int device) {
  MANTA_EXPECT(device >= 0 && static_cast<std::size_t>(device) < devices.size(),
               "device " << device << " was asked for, but this process sees " << devices.size()
                         << " (numbers count from 0)");
}

inline void ExpectStream(StreamHandle stream) {
  MANTA_EXPECT(stream.valid(), "an empty stream handle was used: make one with CreateStream");
}

inline void ExpectEvent(EventHandle event) {
  MANTA_EXPECT(event.valid(), "an empty event handle was used: make one with CreateEvent");
}

inline void ExpectSize(std::size_t size_bytes) {
  MANTA_EXPECT(size_bytes > 0, "0 bytes of device or page-locked memory were asked for: ask for at least 1");
}

inline void ExpectSameDevice(EventHandle event, StreamHandle stream) {
  MANTA_EXPECT(event.device == stream.device,
               "an event of device " << event.device << " was recorded in a stream of device " << stream.device
                                     << ": make it on that device");
}

}  // namespace manta::gpu
