// forge_rt in C#: the C ABI (forge_rt/forge_rt.h) and three small classes over it. For Unity, Godot and plain .NET, 64 bits.
//
//   using var analyzer = new ForgeRt.FaceAnalyzer("faces-mini.forge");
//   using var faces = new ForgeRt.FaceResult();
//   analyzer.Analyze(pixels, width, height, ForgeRt.PixelFormat.Rgba, faces);
//   byte* mask = faces.Mask(out int w, out int h);       // [height * width] class ids, row 0 on top
//
// Every struct has the layout of its C twin, spelled out; tests/capi/check_csharp.py compares it with the C compiler's.
using System;
using System.Runtime.InteropServices;

namespace ForgeRt
{
    public enum PixelFormat { Rgb = 0, Bgr = 1, Rgba = 2, Bgra = 3, Gray = 4, Nv12 = 5 }

    public sealed class ForgeException : Exception
    {
        public readonly int Status;
        internal ForgeException(int status, string message) : base(message) { Status = status; }
    }

    // ---- structs of the C ABI. Pointers are IntPtr, so that they are plain data. ----

    [StructLayout(LayoutKind.Explicit, Size = 56)]
    public struct frt_image_view
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int format;
        [FieldOffset(8)] public int width;
        [FieldOffset(12)] public int height;
        [FieldOffset(16)] public int bt709;
        [FieldOffset(20)] public int reserved;
        [FieldOffset(24)] public IntPtr data;
        [FieldOffset(32)] public long stride;
        [FieldOffset(40)] public IntPtr uv;
        [FieldOffset(48)] public long uv_stride;
    }

    [StructLayout(LayoutKind.Explicit, Size = 56)]
    public struct frt_analyzer_options
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int threads;
        [FieldOffset(8)] public IntPtr device;
        [FieldOffset(16)] public IntPtr provider;
        [FieldOffset(24)] public IntPtr precision;
        [FieldOffset(32)] public IntPtr detector;
        [FieldOffset(40)] public int parsing;
        [FieldOffset(44)] public int landmarks;
        [FieldOffset(48)] public int depth;
        [FieldOffset(52)] public int batch;

        public static frt_analyzer_options Init()
        {
            return new frt_analyzer_options { struct_size = 56, parsing = 1, landmarks = 1, depth = 1, batch = 8 };
        }
    }

    [StructLayout(LayoutKind.Explicit, Size = 72)]
    public struct frt_analyzer_info
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int labels;
        [FieldOffset(8)] public int landmarks;
        [FieldOffset(12)] public int crop_height;
        [FieldOffset(16)] public int crop_width;
        [FieldOffset(20)] public int has_detector;
        [FieldOffset(24)] public IntPtr side;
        [FieldOffset(32)] public IntPtr depth_unit;
        [FieldOffset(40)] public IntPtr hash;
        [FieldOffset(48)] public IntPtr precision;
        [FieldOffset(56)] public IntPtr provider;
        [FieldOffset(64)] public IntPtr provider_reason;
    }

    [StructLayout(LayoutKind.Explicit, Size = 36)]
    public struct frt_analyze_options
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int max_faces;
        [FieldOffset(8)] public float detect_threshold;
        [FieldOffset(12)] public int detect_size;
        [FieldOffset(16)] public float min_face;
        [FieldOffset(20)] public int mask;
        [FieldOffset(24)] public int confidence;
        [FieldOffset(28)] public int depth_map;
        [FieldOffset(32)] public int nearest;

        public static frt_analyze_options Init()
        {
            return new frt_analyze_options { struct_size = 36, max_faces = 16, mask = 1 };
        }
    }

    [StructLayout(LayoutKind.Explicit, Size = 144)]
    public unsafe struct frt_face
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int track;
        [FieldOffset(8)] public fixed float box[4];
        [FieldOffset(24)] public float score;
        [FieldOffset(28)] public float confidence;
        [FieldOffset(32)] public fixed float points[10];
        [FieldOffset(72)] public fixed float to_crop[6];
        [FieldOffset(96)] public fixed int rect[4];
        [FieldOffset(112)] public int landmark_count;
        [FieldOffset(116)] public int area_count;
        [FieldOffset(120)] public IntPtr landmarks;
        [FieldOffset(128)] public IntPtr visibility;
        [FieldOffset(136)] public IntPtr area;
    }

    [StructLayout(LayoutKind.Explicit, Size = 64)]
    public struct frt_stage_times
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int reserved;
        [FieldOffset(8)] public double detect_preprocess;
        [FieldOffset(16)] public double detect_network;
        [FieldOffset(24)] public double detect_decode;
        [FieldOffset(32)] public double crop;
        [FieldOffset(40)] public double network;
        [FieldOffset(48)] public double unwarp;
        [FieldOffset(56)] public double total;
    }

    [StructLayout(LayoutKind.Explicit, Size = 40)]
    public struct frt_tracker_options
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int detect_every;
        [FieldOffset(8)] public float lost_below;
        [FieldOffset(12)] public int smooth_landmarks;
        [FieldOffset(16)] public float min_cutoff_hz;
        [FieldOffset(20)] public float beta;
        [FieldOffset(24)] public float derivative_cutoff_hz;
        [FieldOffset(28)] public float smooth_mask;
        [FieldOffset(32)] public IntPtr analyze;
    }

    [StructLayout(LayoutKind.Explicit, Size = 24)]
    public unsafe struct frt_label_info
    {
        [FieldOffset(0)] public uint struct_size;
        [FieldOffset(4)] public int id;
        [FieldOffset(8)] public IntPtr name;
        [FieldOffset(16)] public fixed byte color[4];
        [FieldOffset(20)] public int mirror;
    }

    // ---- functions of the C ABI ----

    internal static unsafe class Native
    {
        const string Library = "forge_rt"; // forge_rt.dll, libforge_rt.so, libforge_rt.dylib
        internal const int AbiVersion = 1;

        [DllImport(Library)] internal static extern int frt_abi_version();
        [DllImport(Library)] internal static extern IntPtr frt_last_error();
        [DllImport(Library)] internal static extern int frt_set_runtime_library(byte* path);
        [DllImport(Library)] internal static extern int frt_analyzer_load(byte* bundle, frt_analyzer_options* options, out IntPtr analyzer);
        [DllImport(Library)] internal static extern void frt_analyzer_free(IntPtr analyzer);
        [DllImport(Library)] internal static extern int frt_analyzer_get_info(IntPtr analyzer, ref frt_analyzer_info info);
        [DllImport(Library)] internal static extern int frt_analyzer_get_label(IntPtr analyzer, int row, ref frt_label_info info);
        [DllImport(Library)] internal static extern int frt_faces_new(out IntPtr faces);
        [DllImport(Library)] internal static extern void frt_faces_free(IntPtr faces);
        [DllImport(Library)] internal static extern int frt_analyzer_analyze(IntPtr analyzer, ref frt_image_view image, frt_analyze_options* options, IntPtr faces);
        [DllImport(Library)] internal static extern int frt_faces_count(IntPtr faces, out int count);
        [DllImport(Library)] internal static extern int frt_faces_get(IntPtr faces, int index, ref frt_face face);
        [DllImport(Library)] internal static extern int frt_faces_mask(IntPtr faces, out byte* data, out int width, out int height, out long stride);
        [DllImport(Library)] internal static extern int frt_faces_times(IntPtr faces, ref frt_stage_times times);
        [DllImport(Library)] internal static extern int frt_tracker_new(IntPtr analyzer, frt_tracker_options* options, out IntPtr tracker);
        [DllImport(Library)] internal static extern void frt_tracker_free(IntPtr tracker);
        [DllImport(Library)] internal static extern int frt_tracker_update(IntPtr tracker, ref frt_image_view image, double time_s, IntPtr faces);
        [DllImport(Library)] internal static extern int frt_tracker_reset(IntPtr tracker);

        internal static void Check(int status)
        {
            if (status != 0) throw new ForgeException(status, Text(frt_last_error()));
        }

        internal static string Text(IntPtr utf8)
        {
            if (utf8 == IntPtr.Zero) return "";
            int length = 0;
            while (Marshal.ReadByte(utf8, length) != 0) ++length;
            var bytes = new byte[length];
            Marshal.Copy(utf8, bytes, 0, length);
            return System.Text.Encoding.UTF8.GetString(bytes);
        }

        internal static byte[] Utf8(string text) { return System.Text.Encoding.UTF8.GetBytes(text + "\0"); }

        internal static frt_image_view View(byte* pixels, int width, int height, PixelFormat format, long stride)
        {
            return new frt_image_view
            {
                struct_size = (uint)sizeof(frt_image_view), format = (int)format, width = width, height = height,
                data = (IntPtr)pixels, stride = stride,
            };
        }
    }

    // ---- what programs use ----

    public struct Label
    {
        public int Id;
        public string Name;
        public byte Red, Green, Blue;
    }

    /// Where ONNX Runtime's library lies; before the first analyzer.
    public static unsafe class Runtime
    {
        public static void SetLibrary(string path)
        {
            fixed (byte* text = Native.Utf8(path)) Native.Check(Native.frt_set_runtime_library(text));
        }
    }

    /// A loaded bundle. Any number of threads may use it at once.
    public sealed unsafe class FaceAnalyzer : IDisposable
    {
        internal IntPtr Handle;
        public readonly Label[] Labels;
        public readonly string Provider, Precision;

        public FaceAnalyzer(string bundle)
        {
            if (IntPtr.Size != 8) throw new NotSupportedException("forge_rt needs a 64-bit process");
            if (Native.frt_abi_version() != Native.AbiVersion) throw new NotSupportedException("this ForgeRt.cs is of another forge_rt");
            var options = frt_analyzer_options.Init();
            fixed (byte* path = Native.Utf8(bundle)) Native.Check(Native.frt_analyzer_load(path, &options, out Handle));
            // What throws below leaves an object that nobody can dispose of: the finalizer frees it.
            var info = new frt_analyzer_info { struct_size = (uint)sizeof(frt_analyzer_info) };
            Native.Check(Native.frt_analyzer_get_info(Handle, ref info));
            Provider = Native.Text(info.provider);
            Precision = Native.Text(info.precision);
            Labels = new Label[info.labels];
            for (int row = 0; row < info.labels; ++row)
            {
                var label = new frt_label_info { struct_size = (uint)sizeof(frt_label_info) };
                Native.Check(Native.frt_analyzer_get_label(Handle, row, ref label));
                Labels[row] = new Label
                {
                    Id = label.id, Name = Native.Text(label.name), Red = label.color[0], Green = label.color[1], Blue = label.color[2],
                };
            }
        }

        /// `pixels`: row 0 on top. stride 0: rows without gaps.
        public void Analyze(byte* pixels, int width, int height, PixelFormat format, FaceResult result, long stride = 0)
        {
            var view = Native.View(pixels, width, height, format, stride);
            var options = frt_analyze_options.Init();
            Native.Check(Native.frt_analyzer_analyze(Handle, ref view, &options, result.Handle));
            GC.KeepAlive(this); // no finalizer while native code works
            GC.KeepAlive(result);
        }

        ~FaceAnalyzer() { Free(); }

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        void Free()
        {
            if (Handle != IntPtr.Zero) Native.frt_analyzer_free(Handle);
            Handle = IntPtr.Zero;
        }
    }

    /// Faces of a video. One thread at a time.
    public sealed unsafe class FaceTracker : IDisposable
    {
        IntPtr handle;

        public FaceTracker(FaceAnalyzer analyzer)
        {
            Native.Check(Native.frt_tracker_new(analyzer.Handle, null, out handle));
            GC.KeepAlive(analyzer);
        }

        /// `seconds`: when the picture was taken, later than the one before.
        public void Update(byte* pixels, int width, int height, PixelFormat format, double seconds, FaceResult result, long stride = 0)
        {
            var view = Native.View(pixels, width, height, format, stride);
            Native.Check(Native.frt_tracker_update(handle, ref view, seconds, result.Handle));
            GC.KeepAlive(this);
            GC.KeepAlive(result);
        }

        public void Reset()
        {
            Native.Check(Native.frt_tracker_reset(handle));
            GC.KeepAlive(this);
        }

        ~FaceTracker() { Free(); }

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        void Free()
        {
            if (handle != IntPtr.Zero) Native.frt_tracker_free(handle);
            handle = IntPtr.Zero;
        }
    }

    /// What was found. Use one for all pictures: its buffers are kept. Pointers are valid until it is filled again or disposed of: keep it
    /// in a field or a `using`.
    public sealed unsafe class FaceResult : IDisposable
    {
        internal IntPtr Handle;

        public FaceResult() { Native.Check(Native.frt_faces_new(out Handle)); }

        public int Count
        {
            get
            {
                Native.Check(Native.frt_faces_count(Handle, out int count));
                GC.KeepAlive(this);
                return count;
            }
        }

        public frt_face this[int index]
        {
            get
            {
                var face = new frt_face { struct_size = (uint)sizeof(frt_face) };
                Native.Check(Native.frt_faces_get(Handle, index, ref face));
                GC.KeepAlive(this);
                return face;
            }
        }

        /// Class ids, row 0 on top.
        public byte* Mask(out int width, out int height)
        {
            Native.Check(Native.frt_faces_mask(Handle, out byte* data, out width, out height, out long stride));
            GC.KeepAlive(this);
            return data; // stride == width
        }

        public double Milliseconds
        {
            get
            {
                var times = new frt_stage_times { struct_size = (uint)sizeof(frt_stage_times) };
                Native.Check(Native.frt_faces_times(Handle, ref times));
                GC.KeepAlive(this);
                return times.total;
            }
        }

        ~FaceResult() { Free(); }

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        void Free()
        {
            if (Handle != IntPtr.Zero) Native.frt_faces_free(Handle);
            Handle = IntPtr.Zero;
        }
    }
}
