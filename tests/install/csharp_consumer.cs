// The C# binding of the examples, used: csharp_consumer FAKE_BUNDLE ONNXRUNTIME_LIBRARY. tests/install/check.sh builds and runs it.
using System;
using ForgeRt;

static class Program
{
    const int Width = 320, Height = 240;

    static unsafe int Main(string[] args)
    {
        Runtime.SetLibrary(args[1]);
        var pixels = new byte[Width * Height * 4];
        for (int i = 0; i < Width * Height; ++i)
        {
            int x = i % Width, y = i / Width;
            bool bright = x >= 140 && x < 180 && y >= 100 && y < 140; // a face, for this bundle
            for (int c = 0; c < 4; ++c) pixels[4 * i + c] = (byte)(bright ? 250 : 5);
        }
        using (var analyzer = new FaceAnalyzer(args[0]))
        using (var tracker = new FaceTracker(analyzer))
        using (var faces = new FaceResult())
        fixed (byte* data = pixels)
        {
            analyzer.Analyze(data, Width, Height, PixelFormat.Rgba, faces);
            Expect(faces.Count == 1, "count");
            frt_face face = faces[0];
            Expect(face.landmark_count == 68 && face.box[0] > 130 && face.box[2] < 190, "face");
            byte* mask = faces.Mask(out int width, out int height);
            Expect(width == Width && height == Height && mask[120 * Width + 160] == 1 && mask[0] == 0, "mask");
            Expect(analyzer.Labels.Length == 3 && analyzer.Labels[1].Name == "skin" && analyzer.Labels[1].Red == 204, "labels");
            Expect(analyzer.Provider == "cpu" && faces.Milliseconds > 0, "provider");
            tracker.Update(data, Width, Height, PixelFormat.Rgba, 0.5, faces);
            Expect(faces[0].track >= 0, "track");
        }
        try
        {
            new FaceAnalyzer("no_such.forge");
            Expect(false, "error");
        }
        catch (ForgeException error)
        {
            Expect(error.Status == 2 && error.Message.Contains("no_such.forge"), "error");
        }
        Console.WriteLine("C#: ok");
        return 0;
    }

    static void Expect(bool good, string what)
    {
        if (!good) throw new Exception("C#: " + what);
    }
}
