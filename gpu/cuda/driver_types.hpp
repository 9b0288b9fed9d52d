#pragma once
// The part of CUDA's driver API (CUDA Driver API reference, 13.0) that Manta calls, declared here so that it builds
// where there is no toolkit. Types and numbers are the driver's ABI, which it keeps; names carry no CU to stay apart
// from cuda.h.

#include <cstddef>
#include <cstdint>

struct CUctx_st;
struct CUstream_st;
struct CUevent_st;

namespace manta::gpu {

using DriverResult = int;    // CUresult
using DriverDevice = int;    // CUdevice
using DriverContext = CUctx_st*;
using DriverStream = CUstream_st*;
using DriverEvent = CUevent_st*;
using DriverPointer = std::uint64_t;  // CUdeviceptr of 64-bit builds

struct DriverUuid {
  unsigned char bytes[16];
};

inline constexpr DriverResult kSuccess = 0;
inline constexpr DriverResult kErrorOutOfMemory = 2;
inline constexpr DriverResult kErrorDeinitialized = 4;
inline constexpr DriverResult kErrorStubLibrary = 34;
inline constexpr DriverResult kErrorNoDevice = 100;
inline constexpr DriverResult kErrorNotReady = 600;

inline constexpr int kAttributeMultiprocessorCount = 16;
inline constexpr int kAttributeMpsEnabled = 133;  // since CUDA 12

inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventDisableTiming = 2;
inline constexpr unsigned kHostAllocPortable = 1;

}  // namespace manta::gpu
