# Warnings of our own code, never passed on to users. Presets make them errors (CMAKE_COMPILE_WARNING_AS_ERROR).
function(manta_target_warnings target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang,AppleClang>:-Wall;-Wextra>
    # GCC 12 sees overlaps and overflows in std::string's own operator+ at -O2 (GCC bugs 105329 and 105651).
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict;-Wno-stringop-overflow>)
endfunction()
