# Two commands for a fresh machine; the presets (CMakePresets.json) do the work.
.PHONY: demo test build deps

# mpirun as root, with more ranks than cores, and ranks that divide the machine's cores (Open MPI 4; then 5).
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
export OMPI_MCA_rmaps_base_oversubscribe = 1
export OMPI_MCA_hwloc_base_binding_policy = none
export PRTE_MCA_rmaps_default_mapping_policy = :oversubscribe
export PRTE_MCA_hwloc_default_binding_policy = none

demo: build
	mpirun -np 2 build/release/examples/california_housing

test: build
	ctest --preset release

build: deps
	cmake --preset release
	cmake --build --preset release

deps:
	@tools/install-deps.sh
