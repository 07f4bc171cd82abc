// Follows points through frames as they come, with ONNX Runtime's C++ API: a line a point and frame.
//
//   live NAME.onnx [--window W] [y,x ...] < frames.y4m
//
// NAME.onnx names a live export (locoexport export --live open -o NAME.onnx), whose files are
// NAME.encoder.onnx, NAME.query.onnx and NAME.live.onnx. Frames are y4m of 8 bits on stdin, of any
// size: of a file, or of a camera,
//
//   ffmpeg -f v4l2 -i /dev/video0 -f yuv4mpegpipe -pix_fmt yuv420p - | live NAME.onnx 120,64
//
// Points are positions in the first frame, in its pixels (pixel centres at .5); without one a grid
// of 8 x 8 is followed. Each frame is answered from itself and from what was answered in the W - 1
// frames before (8 where the file leaves it open), so that time and memory are the same for ever.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int64_t kLargestSide = 16384;

// ---- frames -------------------------------------------------------------------------------------

class Y4mReader {  // 8-bit 4:2:0, 4:4:4 and grey
 public:
  explicit Y4mReader(std::istream& stream) : stream_(stream) {
    std::string header;
    if (!std::getline(stream_, header) || header.rfind("YUV4MPEG2", 0) != 0) {
      throw std::runtime_error("stdin is no y4m: it does not begin with YUV4MPEG2");
    }
    std::istringstream words(header);
    std::string word, colours = "420";
    words >> word;
    while (words >> word) {
      if (word[0] == 'W') width = std::strtoll(word.c_str() + 1, nullptr, 10);
      if (word[0] == 'H') height = std::strtoll(word.c_str() + 1, nullptr, 10);
      if (word[0] == 'C') colours = word.substr(1);
      if (word == "XCOLORRANGE=FULL") full_range_ = true;
    }
    if (width < 1 || height < 1 || width > kLargestSide || height > kLargestSide) {
      throw std::runtime_error("the y4m says no sizes that a frame can have: " + header);
    }
    if (colours == "444") {
      step_ = 1;
    } else if (colours == "mono") {
      step_ = 0;
    } else if (colours == "420" || colours == "420jpeg" || colours == "420mpeg2" ||
               colours == "420paldv") {
      step_ = 2;
    } else {
      throw std::runtime_error("a y4m of C420, C444 or Cmono is read, of 8 bits; this is C" +
                               colours);
    }
  }

  // The next frame as RGB, (height, width, 3); false at the end.
  bool next(std::vector<uint8_t>& rgb) {
    std::string line;
    if (!std::getline(stream_, line)) return false;
    if (line.rfind("FRAME", 0) != 0) throw std::runtime_error("the y4m has no FRAME where it is due");
    const int64_t chroma_width = step_ ? (width + step_ - 1) / step_ : 0;
    const int64_t chroma_height = step_ ? (height + step_ - 1) / step_ : 0;
    const int64_t luma = width * height, chroma = chroma_width * chroma_height;
    bytes_.resize(static_cast<size_t>(luma + 2 * chroma));
    stream_.read(reinterpret_cast<char*>(bytes_.data()), static_cast<std::streamsize>(bytes_.size()));
    if (stream_.gcount() != static_cast<std::streamsize>(bytes_.size())) {
      throw std::runtime_error("the y4m ends within a frame");
    }
    rgb.resize(static_cast<size_t>(3 * luma));
    const double gain = full_range_ ? 1.0 : 255.0 / 219.0, black = full_range_ ? 0.0 : 16.0;
    const double wide = full_range_ ? 1.0 : 255.0 / 224.0;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        double blue = 0, red = 0;
        if (step_) {
          const int64_t at = luma + (y / step_) * chroma_width + x / step_;
          blue = wide * (bytes_[at] - 128.0);
          red = wide * (bytes_[at + chroma] - 128.0);
        }
        const double grey = gain * (bytes_[y * width + x] - black);
        uint8_t* to = &rgb[static_cast<size_t>(3 * (y * width + x))];  // BT.601
        to[0] = to_byte(grey + 1.402 * red);
        to[1] = to_byte(grey - 0.344136 * blue - 0.714136 * red);
        to[2] = to_byte(grey + 1.772 * blue);
      }
    }
    return true;
  }

  int64_t width = 0, height = 0;

 private:
  static uint8_t to_byte(double value) {
    return static_cast<uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
  }

  std::istream& stream_;
  std::vector<uint8_t> bytes_;
  bool full_range_ = false;
  int64_t step_ = 2;  // pixels of a chroma sample; 0 where there is none
};

// Bilinear, pixel centres at .5, to (height, width, 3) in [-1, 1].
std::vector<float> to_model(const std::vector<uint8_t>& rgb, const Y4mReader& from, int64_t height,
                            int64_t width) {
  struct Tap {
    int64_t low, high;
    float part;
  };
  const auto taps = [](int64_t to, int64_t size) {
    std::vector<Tap> found;
    for (int64_t i = 0; i < to; ++i) {
      const double at = (static_cast<double>(i) + 0.5) * static_cast<double>(size) /
                            static_cast<double>(to) - 0.5;
      const double low = std::floor(at);
      const auto clip = [size](double v) {
        return static_cast<int64_t>(std::clamp(v, 0.0, static_cast<double>(size - 1)));
      };
      found.push_back({clip(low), clip(low + 1), static_cast<float>(at - low)});
    }
    return found;
  };
  const auto rows = taps(height, from.height), columns = taps(width, from.width);
  std::vector<float> values;
  values.reserve(static_cast<size_t>(height * width * 3));
  const auto value = [&](int64_t y, int64_t x, int c) {
    return rgb[static_cast<size_t>(3 * (y * from.width + x) + c)] / 255.0f * 2.0f - 1.0f;
  };
  for (const Tap& row : rows) {
    for (const Tap& column : columns) {
      for (int c = 0; c < 3; ++c) {
        const float above = value(row.low, column.low, c) * (1 - column.part) +
                            value(row.low, column.high, c) * column.part;
        const float below = value(row.high, column.low, c) * (1 - column.part) +
                            value(row.high, column.high, c) * column.part;
        values.push_back(above * (1 - row.part) + below * row.part);
      }
    }
  }
  return values;
}

// ---- models -------------------------------------------------------------------------------------

using Tensors = std::map<std::string, Ort::Value>;

Ort::Value tensor(std::vector<float>& values, const std::vector<int64_t>& shape) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), shape.data(),
                                         shape.size());
}

class Model {  // one of the three files: it takes what it knows by name, and adds what it makes
 public:
  Model(Ort::Env& env, const std::string& path) : session_(env, path.c_str(), options()) {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetInputCount(); ++i) {
      inputs_.push_back(session_.GetInputNameAllocated(i, allocator).get());
    }
    for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
      outputs_.push_back(session_.GetOutputNameAllocated(i, allocator).get());
    }
  }

  std::vector<int64_t> shape_of(const std::string& input) const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i] == input) {
        return session_.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      }
    }
    throw std::runtime_error("a file has no input " + input + "; is it of a live export?");
  }

  void run(Tensors& known) {
    std::vector<const char*> names, made;
    std::vector<Ort::Value> values;
    for (const std::string& name : inputs_) {
      names.push_back(name.c_str());
      values.push_back(view(known.at(name)));
    }
    for (const std::string& name : outputs_) made.push_back(name.c_str());
    auto found = session_.Run(Ort::RunOptions{nullptr}, names.data(), values.data(), values.size(),
                              made.data(), made.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      known.insert_or_assign(outputs_[i], std::move(found[i]));
    }
  }

 private:
  static Ort::SessionOptions options() {
    Ort::SessionOptions chosen;
    chosen.DisableMemPattern();
    return chosen;
  }

  static Ort::Value view(Ort::Value& value) {  // the same numbers, not copied
    const auto info = value.GetTensorTypeAndShapeInfo();
    const auto shape = info.GetShape();
    static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    return Ort::Value::CreateTensor<float>(memory, value.GetTensorMutableData<float>(),
                                           info.GetElementCount(), shape.data(), shape.size());
  }

  Ort::Session session_;
  std::vector<std::string> inputs_, outputs_;
};

// ---- the program --------------------------------------------------------------------------------

struct Asked {
  std::string model;
  int64_t window = 0;            // 0: the file's, or 8
  std::vector<float> points_yx;  // in pixels of the frame
};

int64_t read_window(const char* text) {
  long window = 0;
  char rest;
  if (std::sscanf(text, "%ld%c", &window, &rest) != 1 || window < 1 || window > 256) {
    throw std::runtime_error(std::string("--window is a number from 1 to 256, not ") + text);
  }
  return window;
}

Asked read_arguments(int argc, char** argv) {
  Asked asked;
  for (int i = 1; i < argc; ++i) {
    float y, x;
    char rest;
    if (std::strcmp(argv[i], "--window") == 0 && i + 1 < argc) {
      asked.window = read_window(argv[++i]);
    } else if (asked.model.empty()) {
      asked.model = argv[i];
    } else if (std::sscanf(argv[i], "%f,%f%c", &y, &x, &rest) == 2) {
      asked.points_yx.insert(asked.points_yx.end(), {y, x});
    } else {
      throw std::runtime_error(std::string("a point is y,x, not ") + argv[i]);
    }
  }
  if (asked.model.empty()) {
    throw std::runtime_error("usage: live NAME.onnx [--window W] [y,x ...] < frames.y4m");
  }
  return asked;
}

float sigmoid(float logit) { return 1.0f / (1.0f + std::exp(-logit)); }

// A point is visible where it is likelier than not neither occluded nor more than a few pixels off.
bool is_visible(float occlusion, float expected_dist) {
  return (1.0f - sigmoid(occlusion)) * (1.0f - sigmoid(expected_dist)) >= 0.5f;
}

void run(int argc, char** argv) {
  Asked asked = read_arguments(argc, argv);
  // ONNX Runtime 1.31 sends telemetry unless it is told not to before it starts.
#ifdef _WIN32
  _putenv_s("ORT_DISABLE_TELEMETRY", "1");
#else
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "live");
  const std::string ending = ".onnx";
  std::string stem = asked.model;
  if (stem.size() > ending.size() && stem.rfind(ending) == stem.size() - ending.size()) {
    stem.resize(stem.size() - ending.size());
  }
  Model encoder(env, stem + ".encoder.onnx"), query(env, stem + ".query.onnx"),
      newest(env, stem + ".live.onnx");
  const auto video_shape = encoder.shape_of("video_input");  // (batch, frames, height, width, 3)
  const int64_t height = video_shape.at(2), width = video_shape.at(3);
  const auto memory_shape = newest.shape_of("memory");  // (batch, points, W - 1, channels)
  const int64_t fixed = memory_shape.at(2) < 0 ? 0 : memory_shape.at(2) + 1;
  if (fixed && asked.window && asked.window != fixed) {
    throw std::runtime_error("the file looks at " + std::to_string(fixed) + " frames; leave --window out");
  }
  const int64_t past = (fixed ? fixed : asked.window ? asked.window : 8) - 1;

  Y4mReader frames(std::cin);
  const float scale_y = static_cast<float>(height) / static_cast<float>(frames.height);
  const float scale_x = static_cast<float>(width) / static_cast<float>(frames.width);
  if (asked.points_yx.empty()) {
    for (int i = 0; i < 64; ++i) {
      asked.points_yx.push_back((i / 8 + 0.5f) * static_cast<float>(frames.height) / 8);
      asked.points_yx.push_back((i % 8 + 0.5f) * static_cast<float>(frames.width) / 8);
    }
  }
  const auto points = static_cast<int64_t>(asked.points_yx.size() / 2);
  std::vector<float> queries;  // (1, points, 3) as (t, y, x), t counted from the newest frame
  for (int64_t n = 0; n < points; ++n) {
    queries.insert(queries.end(),
                   {0.0f, asked.points_yx[2 * n] * scale_y, asked.points_yx[2 * n + 1] * scale_x});
  }
  std::vector<float> nothing(static_cast<size_t>(points * past * memory_shape.at(3)));

  Tensors known;
  known.insert_or_assign("query_input", tensor(queries, {1, points, 3}));
  known.insert_or_assign("memory", tensor(nothing, {1, points, past, memory_shape.at(3)}));
  std::puts("frame,point,x,y,visible");
  std::vector<uint8_t> rgb;
  for (int64_t index = 0; frames.next(rgb); ++index) {
    std::vector<float> image = to_model(rgb, frames, height, width);
    known.insert_or_assign("video_input", tensor(image, {1, 1, height, width, 3}));
    encoder.run(known);
    if (index == 0) query.run(known);  // what the points look like, kept for ever
    newest.run(known);
    // What was answered is remembered, and the next frame is none in which a point was asked for.
    known.insert_or_assign("memory", std::move(known.at("next_memory")));
    for (int64_t n = 0; n < points; ++n) queries[static_cast<size_t>(3 * n)] = -1.0f;
    const float* tracks = known.at("tracks").GetTensorData<float>();  // (1, points, 1, 2)
    const float* occlusion = known.at("occlusion").GetTensorData<float>();
    const float* expected_dist = known.at("expected_dist").GetTensorData<float>();
    for (int64_t n = 0; n < points; ++n) {
      std::printf("%lld,%lld,%.4f,%.4f,%d\n", static_cast<long long>(index),
                  static_cast<long long>(n), tracks[2 * n] / scale_x, tracks[2 * n + 1] / scale_y,
                  is_visible(occlusion[n], expected_dist[n]) ? 1 : 0);
    }
    std::fflush(stdout);
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
