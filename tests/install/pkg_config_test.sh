#!/usr/bin/env bash
# pkg_config_test.sh FOLDER_OF_MANTA_PC COMPILER PROGRAM LAUNCH...: builds the consumer with pkg-config's flags alone
# and runs it with LAUNCH.
set -eu
export PKG_CONFIG_PATH=$1
compiler=$2 program=$3
shift 3
read -ra compile_flags <<<"$(pkg-config --cflags manta)"
read -ra link_flags <<<"$(pkg-config --libs manta)"
"$compiler" "${compile_flags[@]}" "$(dirname "$0")/consumer.cpp" -o "$program" "${link_flags[@]}"
# For a build with shared libraries: pkg-config gives no run path.
LD_LIBRARY_PATH=$(pkg-config --variable=libdir manta)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$@" "$program"
