#pragma once

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace ringway::test {

/// SQLite's default way to files while it lives, on which a test may let the k-th call of a kind
/// fail. One at a time; databases opened meanwhile are closed before it goes.
class FailingVfs {
 public:
  enum class Call { open, write, sync, truncate, remove, share };

  FailingVfs() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
    vfs_.zName = "failing";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pAppData = this;
    vfs_.pNext = nullptr;
    vfs_.xOpen = [](sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
      return of(vfs).open(name, file, flags, out);
    };
    vfs_.xDelete = [](sqlite3_vfs* vfs, const char* name, int sync) {
      FailingVfs& self = of(vfs);
      if (const int error = self.fault(Call::remove)) return error;
      return self.real_->xDelete(self.real_, name, sync);
    };
    if (sqlite3_vfs_register(&vfs_, 1) != SQLITE_OK) throw std::runtime_error("no vfs");
  }
  FailingVfs(const FailingVfs&) = delete;
  FailingVfs& operator=(const FailingVfs&) = delete;
  ~FailingVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
  }

  /// The k-th call from now (1 = the next) fails, and with `lasting` all later ones.
  void fail(Call call, int k, int error, bool lasting) {
    call_ = call;
    countdown_ = k;
    error_ = error;
    lasting_ = lasting;
    failures_ = 0;
  }
  void heal() { countdown_ = 0; }
  /// No call counts or fails for as long as it lives.
  class Truce {
   public:
    explicit Truce(FailingVfs& vfs) : vfs_(vfs) { vfs_.truce_ = true; }
    Truce(const Truce&) = delete;
    Truce& operator=(const Truce&) = delete;
    ~Truce() { vfs_.truce_ = false; }

   private:
    FailingVfs& vfs_;
  };
  int failures() const { return failures_; }

 private:
  struct File {
    sqlite3_file base;
    FailingVfs* owner;

    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static FailingVfs& of(sqlite3_vfs* vfs) { return *static_cast<FailingVfs*>(vfs->pAppData); }
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  int fault(Call call) {
    if (truce_ || call != call_ || countdown_ == 0) return SQLITE_OK;
    if (countdown_ > 1) {
      --countdown_;
      return SQLITE_OK;
    }
    if (!lasting_) countdown_ = 0;
    ++failures_;
    // As SQLite's own way to files: only of a write does it look why it was refused.
    errno = error_;  // sqlite3_system_errno()
    switch (call) {
      case Call::open:
        return SQLITE_CANTOPEN;
      case Call::write:
        return error_ == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
      case Call::sync:
        return SQLITE_IOERR_FSYNC;
      case Call::truncate:
        return SQLITE_IOERR_TRUNCATE;
      case Call::remove:
        return SQLITE_IOERR_DELETE;
      case Call::share:
        return SQLITE_IOERR_SHMSIZE;
    }
    return SQLITE_IOERR;
  }

  int open(const char* name, sqlite3_file* file, int flags, int* out) {
    file->pMethods = nullptr;
    if (const int error = fault(Call::open)) return error;
    File& made = of(file);
    made.owner = this;
    const int result = real_->xOpen(real_, name, made.real(), flags, out);
    if (made.real()->pMethods != nullptr) file->pMethods = methods();
    return result;
  }

  /// Faults where a method has a kind, else what the real file does.
  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods kMethods = [] {
      sqlite3_io_methods m{};
      m.iVersion = 2;  // shared memory, but no mapped reads
      m.xClose = [](sqlite3_file* f) { return real(f)->xClose(of(f).real()); };
      m.xRead = [](sqlite3_file* f, void* to, int bytes, sqlite3_int64 at) {
        return real(f)->xRead(of(f).real(), to, bytes, at);
      };
      m.xWrite = [](sqlite3_file* f, const void* from, int bytes, sqlite3_int64 at) {
        if (const int error = of(f).owner->fault(Call::write)) return error;
        return real(f)->xWrite(of(f).real(), from, bytes, at);
      };
      m.xTruncate = [](sqlite3_file* f, sqlite3_int64 bytes) {
        if (const int error = of(f).owner->fault(Call::truncate)) return error;
        return real(f)->xTruncate(of(f).real(), bytes);
      };
      m.xSync = [](sqlite3_file* f, int flags) {
        if (const int error = of(f).owner->fault(Call::sync)) return error;
        return real(f)->xSync(of(f).real(), flags);
      };
      m.xFileSize = [](sqlite3_file* f, sqlite3_int64* bytes) {
        return real(f)->xFileSize(of(f).real(), bytes);
      };
      m.xLock = [](sqlite3_file* f, int level) { return real(f)->xLock(of(f).real(), level); };
      m.xUnlock = [](sqlite3_file* f, int level) { return real(f)->xUnlock(of(f).real(), level); };
      m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
        return real(f)->xCheckReservedLock(of(f).real(), out);
      };
      m.xFileControl = [](sqlite3_file* f, int op, void* argument) {
        return real(f)->xFileControl(of(f).real(), op, argument);
      };
      m.xSectorSize = [](sqlite3_file* f) { return real(f)->xSectorSize(of(f).real()); };
      m.xDeviceCharacteristics = [](sqlite3_file* f) {
        return real(f)->xDeviceCharacteristics(of(f).real());
      };
      m.xShmMap = [](sqlite3_file* f, int page, int bytes, int extend, void volatile** out) {
        if (const int error = extend != 0 ? of(f).owner->fault(Call::share) : SQLITE_OK)
          return error;
        return real(f)->xShmMap(of(f).real(), page, bytes, extend, out);
      };
      m.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
        return real(f)->xShmLock(of(f).real(), offset, n, flags);
      };
      m.xShmBarrier = [](sqlite3_file* f) { real(f)->xShmBarrier(of(f).real()); };
      m.xShmUnmap = [](sqlite3_file* f, int remove) {
        return real(f)->xShmUnmap(of(f).real(), remove);
      };
      return m;
    }();
    return &kMethods;
  }
  static const sqlite3_io_methods* real(sqlite3_file* file) { return of(file).real()->pMethods; }

  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  Call call_ = Call::open;
  int countdown_ = 0;  // 0: nothing fails
  int error_ = 0;
  bool lasting_ = false;
  int failures_ = 0;
  bool truce_ = false;
};

}  // namespace ringway::test
