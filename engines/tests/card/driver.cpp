// A libcuda.so.1 that stands in for a card: its memory is the heap, its kernels are the functions above (this file is compiled behind
// the kernels' source), its streams do what they are told at once. It has what cudarc needs for `Nvidia` and nothing else, so that the
// arguments of every call are tried. What POLYP_TEST_CARD says is wrong with it.
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

typedef std::vector<std::function<void()>> Work;
struct Stream { Work *recording = nullptr; };
struct Event { bool recorded = false; };

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_PTX = 218, NOT_FOUND = 500 };

static bool card_is(const char *what) {
  const char *said = getenv("POLYP_TEST_CARD");
  return said && !strcmp(said, what);
}

static int run(Stream *stream, std::function<void()> work) {
  if (!stream) return INVALID_VALUE; // the default stream is never meant
  if (stream->recording) stream->recording->push_back(work); else work();
  return SUCCESS;
}

// A kernel's arguments, copied from their places as a driver copies them, and the call of one thread with them.
typedef std::function<std::function<void()>(void **)> Kernel;

template <class... A, size_t... I> static Kernel kernel(void (*function)(A...), std::index_sequence<I...>) {
  return [=](void **places) {
    std::tuple<A...> copies(*(A *)places[I]...);
    return [=] { function(std::get<I>(copies)...); };
  };
}
template <class... A> static Kernel kernel(void (*function)(A...)) { return kernel(function, std::index_sequence_for<A...>()); }

static std::map<std::string, Kernel> &kernels() {
  static std::map<std::string, Kernel> all = {
    {"polyp_shrink", kernel(polyp_shrink)}, {"polyp_moments", kernel(polyp_moments)},
    {"polyp_normalise_f32", kernel(polyp_normalise_f32)}, {"polyp_normalise_f16", kernel(polyp_normalise_f16)},
    {"polyp_decode_f32", kernel(polyp_decode_f32)}, {"polyp_decode_f16", kernel(polyp_decode_f16)},
    {"polyp_sort", kernel(polyp_sort)}, {"polyp_paint", kernel(polyp_paint)}, {"polyp_badge", kernel(polyp_badge)},
  };
  return all;
}

extern "C" {
int cuInit(unsigned) { return card_is("none") ? NO_DEVICE : SUCCESS; }
int cuDriverGetVersion(int *version) { *version = card_is("old-driver") ? 11080 : 13000; return SUCCESS; }
int cuDeviceGetCount(int *count) { *count = card_is("missing") ? 0 : 1; return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return SUCCESS; }
int cuDevicePrimaryCtxRetain(void **context, int) { static char it; *context = &it; return card_is("busy") ? 46 : SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxGetCurrent(void **context) { *context = nullptr; return SUCCESS; }
int cuCtxSetCurrent(void *) { return SUCCESS; }
int cuCtxSynchronize() { return SUCCESS; }
int cuDeviceGetName(char *name, int length, int) { strncpy(name, "Stand-in", length); return SUCCESS; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
  // 75 and 76: compute capability; all others are about features that are not there.
  *value = attribute == 75 ? (card_is("old-card") ? 6 : 8) : attribute == 76 ? 1 : 0;
  return SUCCESS;
}
int cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = (size_t)8 << 30; return SUCCESS; }
int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = 1 << 20; *total = (size_t)8 << 30; return SUCCESS; }
int cuGetErrorString(int error, const char **words) {
  *words = error == NO_DEVICE ? "no CUDA-capable device is detected" : error == INVALID_PTX ? "a PTX JIT compilation failed" : "something else";
  return SUCCESS;
}
int cuGetErrorName(int, const char **name) { *name = "CUDA_ERROR"; return SUCCESS; }

int cuMemAlloc_v2(uint64_t *place, size_t bytes) {
  if (card_is("full")) return OUT_OF_MEMORY;
  *place = (uint64_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset((void *)*place, 0xa5, bytes);
  return SUCCESS;
}
int cuMemFree_v2(uint64_t place) { free((void *)place); return SUCCESS; }
int cuMemsetD8_v2(uint64_t place, unsigned char value, size_t bytes) { memset((void *)place, value, bytes); return SUCCESS; }
int cuMemsetD8Async(uint64_t place, unsigned char value, size_t bytes, Stream *stream) {
  return run(stream, [=] { memset((void *)place, value, bytes); });
}
int cuMemHostAlloc(void **place, size_t bytes, unsigned) { *place = aligned_alloc(256, (bytes + 255) / 256 * 256); return SUCCESS; }
int cuMemFreeHost(void *place) { free(place); return SUCCESS; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, Stream *stream) {
  return run(stream, [=] { memcpy((void *)to, from, bytes); });
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, Stream *stream) {
  return run(stream, [=] { memcpy(to, (void *)from, bytes); });
}

int cuModuleLoadDataEx(void **module, const void *source, unsigned options, int *names, void **values) {
  static char it;
  *module = &it;
  bool ptx = strstr((const char *)source, ".target sm_75") != nullptr;
  // 5 and 6: the buffer for what is wrong, and its length.
  if (options != 2 || names[0] != 5 || names[1] != 6) return INVALID_VALUE;
  if (ptx && !card_is("picky")) return SUCCESS;
  strncpy((char *)values[0], "ptxas fatal: unsupported\n", (size_t)values[1]);
  return INVALID_PTX;
}
int cuModuleUnload(void *) { return SUCCESS; }
int cuModuleGetFunction(void **function, void *, const char *name) {
  auto found = kernels().find(name);
  if (found == kernels().end()) return NOT_FOUND;
  *function = &found->second;
  return SUCCESS;
}
int cuLaunchKernel(Kernel *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *stream, void **places, void **extra) {
  if (shared || extra || bz != 1 || bx * by > 1024) return INVALID_VALUE;
  std::function<void()> thread = (*kernel)(places);
  return run(stream, [=] {
    for (unsigned z = 0; z < gz; z++)
      for (unsigned y = 0; y < gy * by; y++)
        for (unsigned x = 0; x < gx * bx; x++) { polyp_thread(x, y, z); thread(); }
  });
}

int cuStreamCreateWithPriority(Stream **stream, unsigned flags, int priority) {
  if (flags != 1 || priority > 0 || priority < -5) return INVALID_VALUE;
  *stream = new Stream;
  return SUCCESS;
}
int cuCtxGetStreamPriorityRange(int *least, int *greatest) { *least = 0; *greatest = -5; return SUCCESS; }
int cuStreamDestroy_v2(Stream *stream) { delete stream; return SUCCESS; }
int cuStreamSynchronize(Stream *) { return SUCCESS; }
int cuStreamWaitEvent(Stream *, Event *event, unsigned) { return event->recorded ? SUCCESS : INVALID_VALUE; }
int cuStreamBeginCapture_v2(Stream *stream, int mode) {
  if (mode != 1 || stream->recording) return INVALID_VALUE;
  stream->recording = new Work;
  return SUCCESS;
}
int cuStreamEndCapture(Stream *stream, Work **graph) {
  *graph = stream->recording;
  stream->recording = nullptr;
  return *graph ? SUCCESS : INVALID_VALUE;
}
int cuGraphInstantiateWithFlags(Work **ready, Work *graph, unsigned long long) { *ready = new Work(*graph); return SUCCESS; }
int cuGraphUpload(Work *, Stream *) { return SUCCESS; }
int cuGraphLaunch(Work *graph, Stream *stream) {
  if (!stream || stream->recording) return INVALID_VALUE;
  for (auto &work : *graph) work();
  return SUCCESS;
}
int cuGraphExecDestroy(Work *ready) { delete ready; return SUCCESS; }
int cuGraphDestroy(Work *graph) { delete graph; return SUCCESS; }

int cuEventCreate(Event **event, unsigned flags) { *event = new Event; return flags & ~1u ? INVALID_VALUE : SUCCESS; }
int cuEventDestroy_v2(Event *event) { delete event; return SUCCESS; }
int cuEventRecord(Event *event, Stream *) { event->recorded = true; return SUCCESS; }
int cuEventQuery(Event *event) { return event->recorded ? SUCCESS : 600; }
int cuEventSynchronize(Event *) { return SUCCESS; }
int cuEventElapsedTime(float *time, Event *from, Event *to) { *time = 0.25f; return from->recorded && to->recorded ? SUCCESS : INVALID_VALUE; }

// For the test's network: a call in a stream.
int polyp_test_call(Stream *stream, void (*function)(void *), void *argument) { return run(stream, [=] { function(argument); }); }
}
