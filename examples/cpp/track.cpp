// Tracks points through raw frames with ONNX Runtime's C++ API, and prints the tracks as CSV.
//
//   track MODEL.onnx FRAMES.rgb [t,y,x ...]
//
// FRAMES.rgb holds RGB frames of 8 bits at the model's resolution, one after another:
//
//   ffmpeg -i clip.mp4 -vf scale=256:256 -f rawvideo -pix_fmt rgb24 clip.rgb
//
// A query is a frame index and a position in pixels of that resolution (pixel centres at .5);
// without one a grid of 8 x 8 points on frame 0 is tracked. All frames go through the model at
// once: some 20 to 40 MB of memory a frame. Longer videos need windows, as the Python runtime has.

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Clip {
  std::vector<float> values;  // (1, frames, height, width, 3) in [-1, 1]
  int64_t frames;
};

Clip read_clip(const std::string& path, int64_t height, int64_t width) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto frame_bytes = static_cast<size_t>(height * width * 3);
  if (bytes.empty() || bytes.size() % frame_bytes != 0) {
    throw std::runtime_error(path + " does not hold whole RGB frames of " +
                             std::to_string(height) + "x" + std::to_string(width));
  }
  Clip clip{{}, static_cast<int64_t>(bytes.size() / frame_bytes)};
  clip.values.reserve(bytes.size());
  for (const char byte : bytes) {
    clip.values.push_back(static_cast<uint8_t>(byte) / 255.0f * 2.0f - 1.0f);
  }
  return clip;
}

std::vector<float> read_queries(int count, char** texts) {  // (1, points, 3) as (t, y, x)
  std::vector<float> queries;
  for (int i = 0; i < count; ++i) {
    float t, y, x;
    char rest;
    if (std::sscanf(texts[i], "%f,%f,%f%c", &t, &y, &x, &rest) != 3) {
      throw std::runtime_error(std::string("a query is t,y,x, not ") + texts[i]);
    }
    queries.insert(queries.end(), {t, y, x});
  }
  return queries;
}

std::vector<float> grid_queries(int rows, int64_t height, int64_t width) {
  std::vector<float> queries;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < rows; ++column) {
      queries.insert(queries.end(), {0.0f, (row + 0.5f) * height / rows,
                                     (column + 0.5f) * width / rows});
    }
  }
  return queries;
}

float sigmoid(float logit) { return 1.0f / (1.0f + std::exp(-logit)); }

// A point is visible where it is likelier than not neither occluded nor more than a few pixels off.
bool is_visible(float occlusion, float expected_dist) {
  return (1.0f - sigmoid(occlusion)) * (1.0f - sigmoid(expected_dist)) >= 0.5f;
}

void run(int argc, char** argv) {
  if (argc < 3) throw std::runtime_error("usage: track MODEL.onnx FRAMES.rgb [t,y,x ...]");
  // ONNX Runtime 1.31 sends telemetry unless it is told not to before it starts.
#ifdef _WIN32
  _putenv_s("ORT_DISABLE_TELEMETRY", "1");
#else
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "track");
  Ort::SessionOptions options;
  options.DisableMemPattern();  // half the memory, no slower (docs/long-videos.md)
  Ort::Session session(env, argv[1], options);

  // video_input is (batch, frames, height, width, 3); height and width are fixed.
  const auto shape = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
  const int64_t height = shape.at(2), width = shape.at(3);
  Clip clip = read_clip(argv[2], height, width);
  std::vector<float> queries =
      argc > 3 ? read_queries(argc - 3, argv + 3) : grid_queries(8, height, width);
  const auto points = static_cast<int64_t>(queries.size() / 3);

  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::array<int64_t, 5> video_shape{1, clip.frames, height, width, 3};
  const std::array<int64_t, 3> query_shape{1, points, 3};
  const std::array<Ort::Value, 2> inputs{
      Ort::Value::CreateTensor<float>(memory, clip.values.data(), clip.values.size(),
                                      video_shape.data(), video_shape.size()),
      Ort::Value::CreateTensor<float>(memory, queries.data(), queries.size(), query_shape.data(),
                                      query_shape.size())};
  const std::array<const char*, 2> input_names{"video_input", "query_input"};
  const std::array<const char*, 3> output_names{"tracks", "occlusion", "expected_dist"};
  const auto outputs = session.Run(Ort::RunOptions{nullptr}, input_names.data(), inputs.data(),
                                   inputs.size(), output_names.data(), output_names.size());

  const float* tracks = outputs[0].GetTensorData<float>();  // (1, points, frames, 2) as (x, y)
  const float* occlusion = outputs[1].GetTensorData<float>();
  const float* expected_dist = outputs[2].GetTensorData<float>();
  std::puts("point,frame,x,y,visible");
  for (int64_t point = 0; point < points; ++point) {
    for (int64_t frame = 0; frame < clip.frames; ++frame) {
      const int64_t at = point * clip.frames + frame;
      std::printf("%lld,%lld,%.4f,%.4f,%d\n", static_cast<long long>(point),
                  static_cast<long long>(frame), tracks[2 * at], tracks[2 * at + 1],
                  is_visible(occlusion[at], expected_dist[at]) ? 1 : 0);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
  return EXIT_SUCCESS;
}
