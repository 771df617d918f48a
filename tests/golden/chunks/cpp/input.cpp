#pragma once
#include <string>
#include <vector>

#define CHECK(x) if (!(x)) abort()

namespace geo {
namespace detail {

/// Clamp a value into a range.
template <typename T>
T clamp(T value, T low, T high) {
  return value < low ? low : value > high ? high : value;
}

}  // namespace detail

enum class Axis { X, Y };

using Points = std::vector<class Point>;

/**
 * A point in the plane.
 */
class Point : public Shape {
 public:
  Point(double x, double y) : x_(x), y_(y) {}
  ~Point();

  double x() const { return x_; }
  Point& operator+=(const Point& other);
  static Point origin();

 private:
  double x_ = 0, y_ = 0;
};

struct Box {
  Point low, high;
  bool contains(const Point& point) const noexcept;
};

template <class T>
concept Shapely = requires(T t) { t.area(); };

Point::~Point() = default;

// Both corners belong to the box.
bool Box::contains(const Point& point) const noexcept {
  if (point.x() < low.x()) {
    return false;
  }
  if (point.x() > high.x()) {
    return false;
  }
  const bool below = point.y() > high.y();
  const bool above = point.y() < low.y();
  return !below && !above;
}

Point& Point::operator+=(const Point& other) {
  x_ += other.x_;
  return *this;
}

constexpr int kDimensions = 2;

}  // namespace geo

int main() { return geo::kDimensions; }
