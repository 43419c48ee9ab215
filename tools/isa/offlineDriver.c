/* A Vulkan driver around a driver whose hardware is not there. Applications run on it as on a GPU, but nothing is computed:
 * commands and submissions do nothing, fences and semaphores are always signalled, memory is the host's. What it is for: of each
 * compute pipeline, the compiler's statistics and its instructions, a JSON object a line.
 *
 * Environment:
 *   ISA_DRIVER     the driver's library, such as libvulkan_radeon.so
 *   ISA_OUT        the file that lines are added to
 *   ISA_LABEL      names the pipeline that is made next
 *   ISA_VENDOR, ISA_DEVICE (hexadecimal), ISA_NAME   what the GPU says it is, where the driver can't know
 *   ISA_UNCHECKED  pipelines are made without the driver's checks of bounds, which Dawn asks for in the place of its own
 *   ISA_WIDTH      takes the place of the subgroup size that Dawn requires, where it requires one
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vulkan/vulkan.h>

#define EXPORTED __attribute__((visibility("default")))

static PFN_vkGetInstanceProcAddr driverInstanceProc;
static PFN_vkGetDeviceProcAddr driverDeviceProc;
static void *driver;
static FILE *out;

static void openDriver(void) {
  if (driver) return;
  const char *path = getenv("ISA_DRIVER"), *file = getenv("ISA_OUT");
  driver = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  out = file ? fopen(file, "a") : NULL;
  if (!driver || !out) {
    fprintf(stderr, "offlineDriver: %s\n", driver ? "ISA_OUT cannot be written" : path ? dlerror() : "ISA_DRIVER is not set");
    abort();
  }
  driverInstanceProc = (PFN_vkGetInstanceProcAddr)dlsym(driver, "vk_icdGetInstanceProcAddr");
}

/* ---- What stands in for the hardware. ---- */

static VkResult nothing(void) { return VK_SUCCESS; }

static VkResult createFence(VkDevice device, const VkFenceCreateInfo *info, const VkAllocationCallbacks *a, VkFence *fence) {
  *fence = (VkFence)malloc(1);
  return VK_SUCCESS;
}
static void destroyFence(VkDevice device, VkFence fence, const VkAllocationCallbacks *a) { free((void *)fence); }
static VkResult fenceFile(VkDevice device, const VkFenceGetFdInfoKHR *info, int *file) {
  *file = -1;
  return VK_SUCCESS;
}
static VkResult createSemaphore(VkDevice device, const VkSemaphoreCreateInfo *info, const VkAllocationCallbacks *a, VkSemaphore *made) {
  *made = (VkSemaphore)malloc(1);
  return VK_SUCCESS;
}
static void destroySemaphore(VkDevice device, VkSemaphore semaphore, const VkAllocationCallbacks *a) { free((void *)semaphore); }
static VkResult semaphoreValue(VkDevice device, VkSemaphore semaphore, uint64_t *value) {
  *value = UINT64_MAX >> 1; /* all that will ever be waited for */
  return VK_SUCCESS;
}
static VkResult queryResults(VkDevice d, VkQueryPool q, uint32_t first, uint32_t count, size_t size, void *data, VkDeviceSize stride, VkQueryResultFlags f) {
  memset(data, 0, size);
  return VK_SUCCESS;
}

/* One heap, with a type for the device and one for the host. */
static void describeMemory(VkPhysicalDeviceMemoryProperties *memory) {
  memset(memory, 0, sizeof(*memory));
  memory->memoryHeapCount = 1;
  memory->memoryHeaps[0].size = 64ull << 30;
  memory->memoryHeaps[0].flags = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
  memory->memoryTypeCount = 2;
  memory->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  memory->memoryTypes[1].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
}
static void memoryProperties(VkPhysicalDevice gpu, VkPhysicalDeviceMemoryProperties *memory) { describeMemory(memory); }
static void memoryProperties2(VkPhysicalDevice gpu, VkPhysicalDeviceMemoryProperties2 *memory) { describeMemory(&memory->memoryProperties); }

static PFN_vkGetBufferMemoryRequirements driverBufferNeeds;
static PFN_vkGetBufferMemoryRequirements2 driverBufferNeeds2;
static PFN_vkGetImageMemoryRequirements driverImageNeeds;
static PFN_vkGetImageMemoryRequirements2 driverImageNeeds2;
static const uint32_t BOTH_TYPES = 3;
static void bufferNeeds(VkDevice device, VkBuffer buffer, VkMemoryRequirements *needs) {
  driverBufferNeeds(device, buffer, needs);
  needs->memoryTypeBits = BOTH_TYPES;
}
static void bufferNeeds2(VkDevice device, const VkBufferMemoryRequirementsInfo2 *buffer, VkMemoryRequirements2 *needs) {
  driverBufferNeeds2(device, buffer, needs);
  needs->memoryRequirements.memoryTypeBits = BOTH_TYPES;
}
static void imageNeeds(VkDevice device, VkImage image, VkMemoryRequirements *needs) {
  driverImageNeeds(device, image, needs);
  needs->memoryTypeBits = BOTH_TYPES;
}
static void imageNeeds2(VkDevice device, const VkImageMemoryRequirementsInfo2 *image, VkMemoryRequirements2 *needs) {
  driverImageNeeds2(device, image, needs);
  needs->memoryRequirements.memoryTypeBits = BOTH_TYPES;
}

typedef struct {
  void *at;
  size_t size;
} Block;
static VkResult allocateMemory(VkDevice device, const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *a, VkDeviceMemory *memory) {
  Block *block = malloc(sizeof(*block));
  block->size = info->allocationSize;
  block->at = mmap(NULL, block->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block->at == MAP_FAILED) {
    free(block);
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  }
  *memory = (VkDeviceMemory)block;
  return VK_SUCCESS;
}
static void freeMemory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *a) {
  Block *block = (Block *)memory;
  if (!block) return;
  munmap(block->at, block->size);
  free(block);
}
static VkResult mapMemory(VkDevice d, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size, VkMemoryMapFlags f, void **data) {
  *data = (char *)((Block *)memory)->at + offset;
  return VK_SUCCESS;
}

/* A stand-in for the kernel's driver has one PCI id for all chips. */
static PFN_vkGetPhysicalDeviceProperties driverProperties;
static PFN_vkGetPhysicalDeviceProperties2 driverProperties2;
static void rename_(VkPhysicalDeviceProperties *properties) {
  const char *vendor = getenv("ISA_VENDOR"), *device = getenv("ISA_DEVICE"), *name = getenv("ISA_NAME");
  if (vendor) properties->vendorID = strtoul(vendor, NULL, 16);
  if (device) properties->deviceID = strtoul(device, NULL, 16);
  if (name) snprintf(properties->deviceName, sizeof(properties->deviceName), "%s", name);
}
static void properties(VkPhysicalDevice gpu, VkPhysicalDeviceProperties *it) {
  driverProperties(gpu, it);
  rename_(it);
}
static void properties2(VkPhysicalDevice gpu, VkPhysicalDeviceProperties2 *it) {
  driverProperties2(gpu, it);
  rename_(&it->properties);
}

/* ---- What the compiler says. ---- */

static void uncheck(VkDeviceCreateInfo *info) {
  static VkPhysicalDeviceFeatures features;
  if (info->pEnabledFeatures) {
    features = *info->pEnabledFeatures;
    features.robustBufferAccess = VK_FALSE;
    info->pEnabledFeatures = &features;
  }
  for (VkBaseOutStructure *at = (void *)info->pNext; at; at = at->pNext) {
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2) {
      ((VkPhysicalDeviceFeatures2 *)at)->features.robustBufferAccess = VK_FALSE;
    }
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT) {
      VkPhysicalDeviceRobustness2FeaturesEXT *robustness = (void *)at;
      robustness->robustBufferAccess2 = robustness->nullDescriptor = VK_FALSE;
    }
  }
}

static PFN_vkCreateDevice driverCreateDevice;
static VkResult createDevice(VkPhysicalDevice gpu, const VkDeviceCreateInfo *info, const VkAllocationCallbacks *a, VkDevice *device) {
  static const char *const WANTED = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
  VkDeviceCreateInfo copy = *info;
  if (getenv("ISA_UNCHECKED")) uncheck(&copy);
  const char **names = malloc(sizeof(char *) * (info->enabledExtensionCount + 1));
  int isThere = 0;
  for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
    names[i] = info->ppEnabledExtensionNames[i];
    isThere |= !strcmp(names[i], WANTED);
  }
  if (!isThere) names[copy.enabledExtensionCount++] = WANTED;
  copy.ppEnabledExtensionNames = names;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, (void *)copy.pNext, VK_TRUE};
  copy.pNext = &feature;
  VkResult result = driverCreateDevice(gpu, &copy, a, device);
  free(names);
  return result;
}

static void writeString(const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    unsigned char letter = *text;
    if (letter == '"' || letter == '\\') fprintf(out, "\\%c", letter);
    else if (letter == '\n') fputs("\\n", out);
    else if (letter < 0x20 || letter >= 0x7f) fprintf(out, "\\u%04x", letter);
    else fputc(letter, out);
  }
  fputc('"', out);
}

static void writeStatistics(VkDevice device, const VkPipelineExecutableInfoKHR *executable) {
  PFN_vkGetPipelineExecutableStatisticsKHR get = (void *)driverDeviceProc(device, "vkGetPipelineExecutableStatisticsKHR");
  uint32_t count = 0;
  get(device, executable, &count, NULL);
  VkPipelineExecutableStatisticKHR *statistics = calloc(count, sizeof(*statistics));
  for (uint32_t i = 0; i < count; i++) statistics[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  get(device, executable, &count, statistics);
  fputs(",\"statistics\":{", out);
  for (uint32_t i = 0; i < count; i++) {
    if (i) fputc(',', out);
    writeString(statistics[i].name);
    const VkPipelineExecutableStatisticValueKHR value = statistics[i].value;
    switch (statistics[i].format) {
      case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: fprintf(out, ":%llu", (unsigned long long)value.u64); break;
      case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: fprintf(out, ":%lld", (long long)value.i64); break;
      case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR: fprintf(out, ":%g", value.f64); break;
      default: fprintf(out, ":%d", value.b32 ? 1 : 0);
    }
  }
  fputc('}', out);
  free(statistics);
}

static void writeCode(VkDevice device, const VkPipelineExecutableInfoKHR *executable) {
  PFN_vkGetPipelineExecutableInternalRepresentationsKHR get =
      (void *)driverDeviceProc(device, "vkGetPipelineExecutableInternalRepresentationsKHR");
  uint32_t count = 0;
  get(device, executable, &count, NULL);
  VkPipelineExecutableInternalRepresentationKHR *forms = calloc(count, sizeof(*forms));
  for (uint32_t i = 0; i < count; i++) forms[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
  get(device, executable, &count, forms);
  for (uint32_t i = 0; i < count; i++) forms[i].pData = calloc(1, forms[i].dataSize + 1);
  get(device, executable, &count, forms);
  for (uint32_t i = 0; i < count; i++) {
    if (forms[i].isText && strcasestr(forms[i].name, "assembly")) {
      fputs(",\"code\":", out);
      writeString(forms[i].pData);
    }
    free(forms[i].pData);
  }
  free(forms);
}

/* Invocations of a workgroup, by shader module: SPIR-V's execution mode LocalSize. */
typedef struct Module {
  VkShaderModule module;
  uint32_t invocations;
  struct Module *next;
} Module;
static Module *modules;

static uint32_t countInvocations(const uint32_t *words, size_t count) {
  enum { HEAD = 5, EXECUTION_MODE = 16, LOCAL_SIZE = 17 };
  for (size_t at = HEAD; at < count && words[at] >> 16; at += words[at] >> 16) {
    if ((words[at] & 0xffff) == EXECUTION_MODE && words[at + 2] == LOCAL_SIZE) return words[at + 3] * words[at + 4] * words[at + 5];
  }
  return 0;
}

static PFN_vkCreateShaderModule driverCreateModule;
static VkResult createModule(VkDevice device, const VkShaderModuleCreateInfo *info, const VkAllocationCallbacks *a, VkShaderModule *module) {
  VkResult result = driverCreateModule(device, info, a, module);
  if (result != VK_SUCCESS) return result;
  Module *made = malloc(sizeof(*made));
  *made = (Module){*module, countInvocations(info->pCode, info->codeSize / 4), modules};
  modules = made; /* a handle that is used again is found as it was made last */
  return result;
}

static uint32_t invocationsOf(VkShaderModule module) {
  for (const Module *each = modules; each; each = each->next) {
    if (each->module == module) return each->invocations;
  }
  return 0;
}

static void writePipeline(VkDevice device, VkPipeline pipeline, VkShaderModule module) {
  PFN_vkGetPipelineExecutablePropertiesKHR get = (void *)driverDeviceProc(device, "vkGetPipelineExecutablePropertiesKHR");
  VkPipelineInfoKHR info = {VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, NULL, pipeline};
  uint32_t count = 0;
  get(device, &info, &count, NULL);
  VkPipelineExecutablePropertiesKHR *executables = calloc(count, sizeof(*executables));
  for (uint32_t i = 0; i < count; i++) executables[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
  get(device, &info, &count, executables);
  for (uint32_t i = 0; i < count; i++) {
    VkPipelineExecutableInfoKHR executable = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, NULL, pipeline, i};
    const char *label = getenv("ISA_LABEL");
    fputs("{\"label\":", out);
    writeString(label ? label : "");
    fputs(",\"executable\":", out);
    writeString(executables[i].name);
    fprintf(out, ",\"subgroupSize\":%u,\"invocations\":%u", executables[i].subgroupSize, invocationsOf(module));
    writeStatistics(device, &executable);
    writeCode(device, &executable);
    fputs("}\n", out);
  }
  fflush(out);
  free(executables);
}

static PFN_vkCreateComputePipelines driverCreatePipelines;
static VkResult createPipelines(VkDevice device, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo *infos,
                                const VkAllocationCallbacks *a, VkPipeline *pipelines) {
  const char *width = getenv("ISA_WIDTH");
  VkComputePipelineCreateInfo *copies = malloc(sizeof(*copies) * count);
  memcpy(copies, infos, sizeof(*copies) * count);
  for (uint32_t i = 0; i < count; i++) {
    copies[i].flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR | VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    for (VkBaseOutStructure *at = (void *)copies[i].stage.pNext; width && at; at = at->pNext) {
      if (at->sType != VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO) continue;
      ((VkPipelineShaderStageRequiredSubgroupSizeCreateInfo *)at)->requiredSubgroupSize = atoi(width);
    }
  }
  VkResult result = driverCreatePipelines(device, VK_NULL_HANDLE, count, copies, a, pipelines); /* a cache would leave nothing to say */
  free(copies);
  for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++) writePipeline(device, pipelines[i], infos[i].stage.module);
  return result;
}

/* ---- Which function is whose. ---- */

static int isOneOf(const char *name, const char *const *names) {
  for (; *names; names++) {
    if (!strcmp(name, *names)) return 1;
  }
  return 0;
}

/* The driver's function is kept and ours called in its place. */
#define WRAPPED(vulkan, kept, ours)       \
  if (!strcmp(name, vulkan)) {            \
    kept = (void *)theirs;                \
    return (PFN_vkVoidFunction)ours;      \
  }
#define REPLACED(vulkan, ours) \
  if (!strcmp(name, vulkan)) return (PFN_vkVoidFunction)ours;

static PFN_vkVoidFunction choose(const char *name, PFN_vkVoidFunction theirs) {
  static const char *const IDLE[] = {
      "vkBeginCommandBuffer", "vkEndCommandBuffer", "vkResetCommandBuffer", "vkResetCommandPool", "vkFreeCommandBuffers",
      "vkDestroyCommandPool", "vkTrimCommandPool", "vkQueueSubmit", "vkQueueSubmit2", "vkQueueSubmit2KHR", "vkQueueWaitIdle",
      "vkQueueBindSparse", "vkDeviceWaitIdle", "vkWaitForFences", "vkGetFenceStatus", "vkResetFences", "vkWaitSemaphores",
      "vkWaitSemaphoresKHR", "vkSignalSemaphore", "vkBindBufferMemory", "vkBindBufferMemory2", "vkBindBufferMemory2KHR",
      "vkBindImageMemory", "vkBindImageMemory2", "vkBindImageMemory2KHR", "vkUnmapMemory", "vkFlushMappedMemoryRanges",
      "vkInvalidateMappedMemoryRanges", "vkUpdateDescriptorSets", "vkUpdateDescriptorSetWithTemplate",
      "vkUpdateDescriptorSetWithTemplateKHR", NULL};
  if (!theirs) return NULL;
  WRAPPED("vkGetPhysicalDeviceProperties", driverProperties, properties)
  WRAPPED("vkGetPhysicalDeviceProperties2", driverProperties2, properties2)
  WRAPPED("vkGetPhysicalDeviceProperties2KHR", driverProperties2, properties2)
  WRAPPED("vkCreateComputePipelines", driverCreatePipelines, createPipelines)
  WRAPPED("vkCreateShaderModule", driverCreateModule, createModule)
  WRAPPED("vkGetBufferMemoryRequirements", driverBufferNeeds, bufferNeeds)
  WRAPPED("vkGetBufferMemoryRequirements2", driverBufferNeeds2, bufferNeeds2)
  WRAPPED("vkGetBufferMemoryRequirements2KHR", driverBufferNeeds2, bufferNeeds2)
  WRAPPED("vkGetImageMemoryRequirements", driverImageNeeds, imageNeeds)
  WRAPPED("vkGetImageMemoryRequirements2", driverImageNeeds2, imageNeeds2)
  WRAPPED("vkGetImageMemoryRequirements2KHR", driverImageNeeds2, imageNeeds2)
  REPLACED("vkGetPhysicalDeviceMemoryProperties", memoryProperties)
  REPLACED("vkGetPhysicalDeviceMemoryProperties2", memoryProperties2)
  REPLACED("vkGetPhysicalDeviceMemoryProperties2KHR", memoryProperties2)
  REPLACED("vkCreateFence", createFence)
  REPLACED("vkDestroyFence", destroyFence)
  REPLACED("vkGetFenceFdKHR", fenceFile)
  REPLACED("vkCreateSemaphore", createSemaphore)
  REPLACED("vkDestroySemaphore", destroySemaphore)
  REPLACED("vkGetSemaphoreCounterValue", semaphoreValue)
  REPLACED("vkGetSemaphoreCounterValueKHR", semaphoreValue)
  REPLACED("vkGetQueryPoolResults", queryResults)
  REPLACED("vkAllocateMemory", allocateMemory)
  REPLACED("vkFreeMemory", freeMemory)
  REPLACED("vkMapMemory", mapMemory)
  if (!strncmp(name, "vkCmd", 5) || isOneOf(name, IDLE)) return (PFN_vkVoidFunction)nothing;
  return theirs;
}

static PFN_vkVoidFunction deviceProc(VkDevice device, const char *name) { return choose(name, driverDeviceProc(device, name)); }

EXPORTED PFN_vkVoidFunction vk_icdGetInstanceProcAddr(VkInstance instance, const char *name) {
  openDriver();
  PFN_vkVoidFunction theirs = driverInstanceProc(instance, name);
  WRAPPED("vkGetDeviceProcAddr", driverDeviceProc, deviceProc)
  WRAPPED("vkCreateDevice", driverCreateDevice, createDevice)
  return choose(name, theirs);
}
EXPORTED PFN_vkVoidFunction vk_icdGetPhysicalDeviceProcAddr(VkInstance instance, const char *name) {
  openDriver();
  PFN_vkVoidFunction (*get)(VkInstance, const char *) = dlsym(driver, "vk_icdGetPhysicalDeviceProcAddr");
  return get ? choose(name, get(instance, name)) : NULL;
}
EXPORTED VkResult vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
  openDriver();
  VkResult (*negotiate)(uint32_t *) = dlsym(driver, "vk_icdNegotiateLoaderICDInterfaceVersion");
  return negotiate ? negotiate(version) : VK_SUCCESS;
}
