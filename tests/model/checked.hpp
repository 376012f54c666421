#pragma once

// relacy's place markers are called $, which clang takes for an extension.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wdollar-in-identifier-extension"
#endif

// relacy, with the names it turns into macros given back. Include it after everything else.

#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <relacy/relacy.hpp>

#undef $
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#undef EINVAL
#undef ETIMEDOUT
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
