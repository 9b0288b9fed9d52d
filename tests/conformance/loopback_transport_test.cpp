#include "tests/support/loopback_transport.hpp"

#include <vector>

#include "tests/conformance/transport_conformance.hpp"

namespace manta::testing {
namespace {

class LoopbackWorld {
 public:
  int size() const { return network_.size(); }
  std::vector<TransportEndpoint> endpoints() {
    std::vector<TransportEndpoint> all;
    for (int rank = 0; rank < size(); ++rank) all.push_back({Rank(rank), &network_.endpoint(Rank(rank))});
    return all;
  }
  void Barrier() {}

 private:
  LoopbackNetwork network_{3};
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Loopback, TransportConformance, LoopbackWorld);

}  // namespace manta::testing
