// Debian's OpenCL in software under the name that Android's library looks for, dressed as the GPU that it asks for.
// Every other function is found in the library that this one is linked to.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

enum { TYPE = 0x1000, NAME = 0x102B, VENDOR = 0x102C, EXTENSIONS = 0x1030 };
static const unsigned long GPU = 4, ALL = 0xFFFFFFFF;
static const char NOBODY[] = "software"; // with a vendor that it knows, the library takes that one's kernels

#define REAL(name, ...) \
  static int (*real)(__VA_ARGS__); \
  if (!real) real = (int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name); \
  if (!real) real = (int (*)(__VA_ARGS__))dlsym(dlopen("libOpenCL.so.1", RTLD_NOW), name)

int clGetDeviceIDs(void *platform, unsigned long type, unsigned room, void **devices, unsigned *count) {
  REAL("clGetDeviceIDs", void *, unsigned long, unsigned, void **, unsigned *);
  (void)type;
  return real(platform, ALL, room, devices, count);
}

// Said to be there, and not as phones have it: images in buffers whose rows are not aligned.
static void hide(char *extensions, const char *name) {
  for (char *at; (at = strstr(extensions, name));) memset(at, 'x', strlen(name));
}

int clGetDeviceInfo(void *device, unsigned question, size_t room, void *value, size_t *size) {
  REAL("clGetDeviceInfo", void *, unsigned, size_t, void *, size_t *);
  if (question == NAME || question == VENDOR) {
    if (size) *size = sizeof NOBODY;
    if (value && room >= sizeof NOBODY) memcpy(value, NOBODY, sizeof NOBODY);
    return 0;
  }
  int error = real(device, question, room, value, size);
  if (error || !value) return error;
  if (question == TYPE && room >= sizeof GPU) memcpy(value, &GPU, sizeof GPU);
  if (question == EXTENSIONS) {
    hide(value, "cl_khr_image2d_from_buffer");
    hide(value, "cl_khr_3d_image_writes");
  }
  return 0;
}
