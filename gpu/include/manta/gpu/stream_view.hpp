#pragma once
// A CUDA stream that somebody else owns, to be handed on to kernels and libraries. It includes no CUDA header: it turns
// by itself into what CUDA calls cudaStream_t and CUstream (both are CUstream_st*).
//
//   kernel<<<blocks, threads, 0, stream>>>(...);     // stream is a manta::gpu::StreamView
//   cublasSetStream(handle, stream);

struct CUstream_st;

namespace manta::gpu {

/// Copies are the same stream. Valid while its owner lives; a default-made one is CUDA's default stream.
class StreamView {
 public:
  constexpr StreamView() = default;
  constexpr StreamView(CUstream_st* stream) : stream_(stream) {}

  constexpr operator CUstream_st*() const { return stream_; }
  constexpr CUstream_st* get() const { return stream_; }
  constexpr bool IsDefault() const { return stream_ == nullptr; }

 private:
  CUstream_st* stream_ = nullptr;
};

}  // namespace manta::gpu
