#pragma once
// The version of the library, as semantic versioning means it.

#define MANTA_VERSION_MAJOR 0
#define MANTA_VERSION_MINOR 1
#define MANTA_VERSION_PATCH 0
#define MANTA_VERSION (MANTA_VERSION_MAJOR * 10000 + MANTA_VERSION_MINOR * 100 + MANTA_VERSION_PATCH)
#define MANTA_VERSION_STRING "0.1.0"
