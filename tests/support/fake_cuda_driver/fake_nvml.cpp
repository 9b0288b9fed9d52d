// A pretend management library, built as libnvidia-ml.so.1 beside the pretend driver.
//   FAKE_NVML_INIT   what nvmlInit gives (0)     FAKE_NVML_MIG   1: MIG mode is on for every device
#include <cstdio>
#include <cstdlib>
#include <cstring>

static int Setting(const char* name) {
  const char* text = getenv(name);
  return text ? atoi(text) : 0;
}
extern "C" {

int nvmlInit_v2() { return Setting("FAKE_NVML_INIT"); }
int nvmlShutdown() { return 0; }
int nvmlSystemGetDriverVersion(char* text, unsigned length) {
  snprintf(text, length, "580.65.06");
  return 0;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, void** device) {
  *device = reinterpret_cast<void*>(1);
  return strncmp(bus_id, "0000:", 5) == 0 ? 0 : 6;  // NVML_ERROR_NOT_FOUND
}
int nvmlDeviceGetMigMode(void*, unsigned* current, unsigned* pending) {
  *current = *pending = (unsigned)Setting("FAKE_NVML_MIG");
  return 0;
}

}  // extern "C"
