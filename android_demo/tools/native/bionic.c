// The few names of Android's C library that Debian's lacks or means otherwise, for one Android library loaded into a desktop JVM.
// Preloaded: everybody calls through it, so each function that exists in both asks who calls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char ANDROID[] = "libtensorflowlite";

static int from_android(void *caller) {
  Dl_info where;
  return dladdr(caller, &where) && where.dli_fname && strstr(where.dli_fname, ANDROID);
}

int *__errno(void) { return __errno_location(); }

size_t __strlen_chk(const char *text, size_t room) {
  (void)room;
  return strlen(text);
}

int __system_property_get(const char *name, char *value) {
  (void)name;
  value[0] = 0;
  return 0;
}

void android_set_abort_message(const char *message) { fprintf(stderr, "abort: %s\n", message); }

int __android_log_vprint(int priority, const char *tag, const char *format, va_list values) {
  fprintf(stderr, "%s (%d): ", tag, priority);
  vfprintf(stderr, format, values);
  return fputc('\n', stderr);
}

int __android_log_print(int priority, const char *tag, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int n = __android_log_vprint(priority, tag, format, values);
  va_end(values);
  return n;
}

// stdin, stdout and stderr are an array there; what is written to it goes to our stderr.
#define FILES 3
#define FILE_SIZE 152
char __sF[FILES * FILE_SIZE] __attribute__((aligned(16)));

static FILE *ours(FILE *file) {
  char *at = (char *)file;
  return at >= __sF && at < __sF + sizeof __sF ? stderr : file;
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

int vfprintf(FILE *file, const char *format, va_list values) {
  REAL(int, "vfprintf", FILE *, const char *, va_list);
  return real(ours(file), format, values);
}

int fprintf(FILE *file, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int n = vfprintf(file, format, values);
  va_end(values);
  return n;
}

int fputc(int c, FILE *file) {
  REAL(int, "fputc", int, FILE *);
  return real(c, ours(file));
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
  REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *);
  return real(data, size, count, ours(file));
}

int fflush(FILE *file) {
  REAL(int, "fflush", FILE *);
  return real(file ? ours(file) : file);
}

// The numbers of the questions are bionic's (bits/sysconf.h there).
long sysconf(int question) {
  REAL(long, "sysconf", int);
  if (!from_android(__builtin_return_address(0))) return real(question);
  switch (question) {
    case 0x27:
    case 0x28: return real(_SC_PAGESIZE);
    case 0x60: return real(_SC_NPROCESSORS_CONF);
    case 0x61: return real(_SC_NPROCESSORS_ONLN);
    case 0x62: return real(_SC_PHYS_PAGES);
    default: errno = EINVAL; return -1;
  }
}
