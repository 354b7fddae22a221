// Class ids of the faces in a webcam, over its picture. Put it on an object with two RawImages, one above the other.
//
// Assets/Plugins/x86_64 holds forge_rt and onnxruntime (.dll or .so), Assets/StreamingAssets the bundle.
using System;
using System.IO;
using ForgeRt;
using UnityEngine;
using UnityEngine.UI;

public sealed unsafe class FaceOverlay : MonoBehaviour
{
    public RawImage picture, overlay;
    public string bundle = "faces-mini.forge";
    [Range(0, 1)] public float opacity = 0.45f;

    WebCamTexture camera_;
    FaceAnalyzer analyzer;
    FaceTracker tracker;
    FaceResult faces;
    Color32[] colors, pixels, flipped;
    Texture2D mask;

    void Start()
    {
        string library = Path.Combine(Application.dataPath, "Plugins", "x86_64", RuntimeName());
        if (File.Exists(library)) Runtime.SetLibrary(library);
        analyzer = new FaceAnalyzer(Path.Combine(Application.streamingAssetsPath, bundle));
        tracker = new FaceTracker(analyzer);
        faces = new FaceResult();
        colors = new Color32[256];
        foreach (Label label in analyzer.Labels)
            if (label.Id != 0) colors[label.Id] = new Color32(label.Red, label.Green, label.Blue, (byte)(255 * opacity));
        camera_ = new WebCamTexture(1280, 720, 30);
        camera_.Play();
        picture.texture = camera_;
    }

    static string RuntimeName()
    {
        bool windows = Application.platform == RuntimePlatform.WindowsPlayer || Application.platform == RuntimePlatform.WindowsEditor;
        return windows ? "onnxruntime.dll" : "libonnxruntime.so";
    }

    void Update()
    {
        if (!camera_.didUpdateThisFrame || camera_.width < 32) return;
        int width = camera_.width, height = camera_.height;
        if (mask == null || mask.width != width || mask.height != height)
        {
            mask = new Texture2D(width, height, TextureFormat.RGBA32, false);
            pixels = new Color32[width * height];
            flipped = new Color32[width * height];
            overlay.texture = mask;
            tracker.Reset();
        }
        camera_.GetPixels32(pixels);
        FlipRows(pixels, flipped, width, height); // textures begin at the bottom, forge_rt at the top
        fixed (Color32* top = flipped) tracker.Update((byte*)top, width, height, PixelFormat.Rgba, Time.realtimeSinceStartupAsDouble, faces);

        byte* ids = faces.Mask(out _, out _);
        for (int y = 0; y < height; ++y)
        {
            byte* row = ids + (height - 1 - y) * width;
            for (int x = 0; x < width; ++x) pixels[y * width + x] = colors[row[x]];
        }
        mask.SetPixels32(pixels);
        mask.Apply(false);
    }

    static void FlipRows(Color32[] from, Color32[] to, int width, int height)
    {
        for (int y = 0; y < height; ++y) Array.Copy(from, y * width, to, (height - 1 - y) * width, width);
    }

    void OnDestroy()
    {
        if (camera_ != null) camera_.Stop();
        tracker?.Dispose();
        faces?.Dispose();
        analyzer?.Dispose();
    }
}
