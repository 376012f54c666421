#pragma once

#include <sys/mman.h>

#include <new>

namespace ringway::test {

/// A T of zeros that this process and those it forks have in common.
template <class T>
class SharedWithChildren {
 public:
  SharedWithChildren()
      : memory_(static_cast<T*>(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
  }
  SharedWithChildren(const SharedWithChildren&) = delete;
  SharedWithChildren& operator=(const SharedWithChildren&) = delete;
  ~SharedWithChildren() { ::munmap(memory_, sizeof(T)); }
  T* operator->() const noexcept { return memory_; }
  T& operator*() const noexcept { return *memory_; }

 private:
  T* memory_;
};

}  // namespace ringway::test
