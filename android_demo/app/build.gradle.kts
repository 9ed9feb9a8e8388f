plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.mobilesr.app"
    compileSdk = libs.versions.target.sdk.get().toInt()

    defaultConfig {
        applicationId = "org.mobilesr.app"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.target.sdk.get().toInt()
        versionCode = libs.versions.version.code.get().toInt()
        versionName = libs.versions.version.name.get()
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }

    // Sources of a flavor: src/litert, src/classic
    flavorDimensions += "runtime"
    productFlavors {
        create("litert") {
            dimension = "runtime"
            isDefault = true
        }
        create("classic") {
            dimension = "runtime"
            versionNameSuffix = "-classic"
        }
    }

    // Kept out of compression, so that it lies in the APK as it is.
    androidResources { noCompress += "tflite" }

    // Tests of this module run on Maven only, with Robolectric and LiteRT's library for the host: see ../README.md.
    sourceSets {
        getByName("test") {
            java.setSrcDirs(emptyList<String>())
            kotlin.setSrcDirs(emptyList<String>())
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    implementation(project(":core"))
    "litertImplementation"(libs.litert)
    "classicImplementation"(libs.tflite)
    "classicImplementation"(libs.tflite.api)
    "classicImplementation"(libs.tflite.gpu)
    "classicImplementation"(libs.tflite.gpu.api)
}
