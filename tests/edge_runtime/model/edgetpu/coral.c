/* An Edge TPU's library as TFLite sees one: its external delegate interface, and the operator that the compiler makes.
 *
 * The chip is a Unix socket in the folder that EDGE_PNEUMO_TEST_CORALS names, called after the device (usb:0). `coral.py`
 * is at its other end, computes, and says what is to go wrong. As Google's library does, this one gives a null pointer
 * without a word where a device does not open, and aborts the program where one is pulled out.
 *
 * The structs are those of tensorflow/lite/core/c/common.h, in which nothing that is used here has moved from TensorFlow
 * 2.14 to LiteRT 2.3; what was added at the end of TfLiteRegistration, which is passed by value, is there and is zero.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1 };
enum { ALLOW_DYNAMIC_TENSORS = 1 };

typedef struct { int size; int data[]; } IntArray;
typedef struct { float scale; int32_t zero_point; } QuantizationParams;
typedef struct { int type; void *params; } Quantization;

typedef struct Tensor {
    int type;
    void *data;
    IntArray *dims;
    QuantizationParams params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    struct Delegate *delegate;
    int buffer_handle;
    _Bool data_is_stale;
    _Bool is_variable;
    Quantization quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;

typedef struct Node {
    IntArray *inputs;
    IntArray *outputs;
    IntArray *intermediates;
    IntArray *temporaries;
    void *user_data;
    void *builtin_data;
    const void *custom_initial_data;
    int custom_initial_data_size;
    struct Delegate *delegate;
    _Bool might_have_side_effect;
} Node;

struct Context;

typedef struct Registration {
    void *(*init)(struct Context *, const char *, size_t);
    void (*free)(struct Context *, void *);
    int (*prepare)(struct Context *, Node *);
    int (*invoke)(struct Context *, Node *);
    const char *(*profiling_string)(const struct Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *registration_external;
    void *async_kernel;
    uint64_t inplace_operator;
} Registration;

typedef struct Context {
    size_t tensors_size;
    int (*GetExecutionPlan)(struct Context *, IntArray **);
    Tensor *tensors;
    void *impl_;
    int (*ResizeTensor)(struct Context *, Tensor *, IntArray *);
    void (*ReportError)(struct Context *, const char *, ...);
    int (*AddTensors)(struct Context *, int, int *);
    int (*GetNodeAndRegistration)(struct Context *, int, Node **, Registration **);
    int (*ReplaceNodeSubsetsWithDelegateKernels)(struct Context *, Registration, const IntArray *, struct Delegate *);
} Context;

typedef struct Delegate {
    void *data_;
    int (*Prepare)(Context *, struct Delegate *);
    int (*CopyFromBufferHandle)(Context *, struct Delegate *, int, Tensor *);
    int (*CopyToBufferHandle)(Context *, struct Delegate *, int, Tensor *);
    void (*FreeBufferHandle)(Context *, struct Delegate *, int *);
    int64_t flags;
    void *opaque_delegate_builder;
    int chip; /* of this delegate alone */
} Delegate;

static void give_up(void) {
    fprintf(stderr, "F driver/usb/usb_driver.cc:857] transfer on tag 1 failed. Abort. Not found: USB transfer error 5\n");
    abort();
}

static void say(int chip, const void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = send(chip, (const char *)data + done, size - done, MSG_NOSIGNAL);
        if (count <= 0) give_up();
        done += (size_t)count;
    }
}

static void hear(int chip, void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = recv(chip, (char *)data + done, size - done, 0);
        if (count <= 0) give_up();
        done += (size_t)count;
    }
}

static void *kernel_init(Context *context, const char *buffer, size_t length) {
    (void)context, (void)length;
    return *(Delegate **)buffer; /* the first field of TfLiteDelegateParams */
}

static void kernel_free(Context *context, void *buffer) { (void)context, (void)buffer; }

static int kernel_prepare(Context *context, Node *node) { return (void)context, (void)node, OK; }

static int kernel_invoke(Context *context, Node *node) {
    int chip = ((Delegate *)node->user_data)->chip;
    for (int i = 0; i < node->inputs->size; i++) {
        Tensor *tensor = &context->tensors[node->inputs->data[i]];
        say(chip, tensor->data, tensor->bytes);
    }
    char status;
    hear(chip, &status, 1);
    if (status == 'e') {
        context->ReportError(context, "Failed precondition: the chip was told to fail");
        return ERROR;
    }
    if (status != 'o') give_up();
    for (int i = 0; i < node->outputs->size; i++) {
        Tensor *tensor = &context->tensors[node->outputs->data[i]];
        hear(chip, tensor->data, tensor->bytes);
    }
    return OK;
}

static int prepare(Context *context, Delegate *delegate) {
    IntArray *plan;
    if (context->GetExecutionPlan(context, &plan) != OK) return ERROR;
    IntArray *found = malloc(sizeof(IntArray) + (size_t)plan->size * sizeof(int));
    found->size = 0;
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *registration;
        if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) != OK) return ERROR;
        if (registration->custom_name && strcmp(registration->custom_name, "edgetpu-custom-op") == 0)
            found->data[found->size++] = plan->data[i];
    }
    Registration kernel = {0};
    kernel.init = kernel_init, kernel.free = kernel_free;
    kernel.prepare = kernel_prepare, kernel.invoke = kernel_invoke;
    kernel.custom_name = "EdgeTpuDelegateForCustomOp", kernel.version = 1;
    int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, found, delegate);
    free(found);
    return status;
}

/* The socket of that device, or of any where none is named; -1 where it does not open. */
static int open_chip(const char *device) {
    const char *folder = getenv("EDGE_PNEUMO_TEST_CORALS");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64] = "";
    if (!folder) return -1;
    if (device) {
        snprintf(name, sizeof name, "%s", device);
    } else {
        DIR *listing = opendir(folder);
        for (struct dirent *entry; listing && (entry = readdir(listing));)
            if (entry->d_name[0] != '.') snprintf(name, sizeof name, "%.60s", entry->d_name);
        if (listing) closedir(listing);
    }
    if (!*name || (size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", folder, name) >=
                      sizeof address.sun_path)
        return -1;
    int chip = socket(AF_UNIX, SOCK_STREAM, 0);
    char status = 'n';
    if (chip < 0) return -1;
    if (connect(chip, (struct sockaddr *)&address, sizeof address) != 0 || recv(chip, &status, 1, 0) != 1) status = 'n';
    if (status == 'a') raise(SIGSEGV); /* as a library that was built for another TensorFlow does */
    if (status != 'o') {
        close(chip);
        return -1;
    }
    return chip;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    const char *device = NULL;
    (void)report; /* Google's does not say why either */
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i], "device") == 0) device = values[i];
    int chip = open_chip(device);
    if (chip < 0) return NULL;
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->Prepare = prepare, delegate->flags = ALLOW_DYNAMIC_TENSORS, delegate->chip = chip;
    return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
    close(delegate->chip);
    free(delegate);
}
